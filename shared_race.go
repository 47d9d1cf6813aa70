//go:build race

package notify

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"reflect"
)

var digestSeed = maphash.MakeSeed()

// maxDigestDepth bounds how deep a value is looked into, so that one which
// refers to itself has an end.
const maxDigestDepth = 16

// digest is a checksum of everything that observers of an event share: what its
// data and labels lead to. What code other than handlers changes, as time goes
// by, is left out: pointers to structs that hold something unexported, channels
// and functions.
func digest(f *fact) uint64 {
	return digestOf(reflect.ValueOf(f.data()), 0) ^ digestOf(reflect.ValueOf(f.Labels), 0)
}

func digestOf(v reflect.Value, depth int) uint64 {
	if !v.IsValid() || depth > maxDigestDepth {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(digestSeed)
	add := func(n uint64) {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		_, _ = h.Write(b[:])
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			add(1)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		add(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		add(v.Uint())
	case reflect.Float32, reflect.Float64:
		add(math.Float64bits(v.Float()))
	case reflect.String:
		_, _ = h.WriteString(v.String())
	case reflect.Pointer, reflect.Interface:
		if v.Kind() == reflect.Interface || !hasHidden(v.Type().Elem()) {
			add(digestOf(v.Elem(), depth+1))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			add(digestOf(v.Field(i), depth+1))
		}
	case reflect.Slice, reflect.Array:
		add(uint64(v.Len()))
		for i := range v.Len() {
			add(digestOf(v.Index(i), depth+1))
		}
	case reflect.Map:
		var sum uint64 // in no order
		for key, value := range v.Seq2() {
			var b [16]byte
			binary.LittleEndian.PutUint64(b[:], digestOf(key, depth+1))
			binary.LittleEndian.PutUint64(b[8:], digestOf(value, depth+1))
			sum += maphash.Bytes(digestSeed, b[:])
		}
		add(uint64(v.Len()))
		add(sum)
	}
	return h.Sum64()
}

// hasHidden tells of a struct with fields that are not exported, such as a
// mutex, a counter or a cache.
func hasHidden(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			return true
		}
	}
	return false
}

const raceBuild = true
