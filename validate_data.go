package notify

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"unicode/utf8"
)

// maxDataDepth bounds how deep the values of Notification.Data are nested.
const maxDataDepth = 32

// dataCheck goes through Notification.Data and measures it. It stops at its
// budget, so that values that share parts, or contain themselves, end too.
type dataCheck struct {
	// bytes counts the strings as JSON, and nodes all values: the JSON form has
	// at least bytes+nodes bytes.
	bytes, nodes int
	budget       int
	// over says that the budget did not suffice.
	over bool
}

var (
	errDataUTF8    = errors.New("has to be valid UTF-8")
	errDataDepth   = fmt.Errorf("is nested deeper than %d levels", maxDataDepth)
	errDataNumber  = errors.New("has a number that JSON or a float64 cannot hold")
	errDataTooMuch = errors.New("is too large")
)

func (c *dataCheck) size() int { return c.bytes + c.nodes }

func (c *dataCheck) count(s string) error {
	c.bytes += jsonSize(s)
	if !utf8.ValidString(s) {
		return errDataUTF8
	}
	return nil
}

// value checks the forms that JSON itself has without reflection.
func (c *dataCheck) value(value any, depth int) error {
	if err := c.enter(depth); err != nil {
		return err
	}
	switch v := value.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return nil
	case string:
		return c.count(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return errDataNumber
		}
		return nil
	case json.Number:
		if _, err := v.Float64(); err != nil || !json.Valid([]byte(v)) {
			return errDataNumber
		}
		return c.count(string(v))
	case map[string]any:
		for key, element := range v {
			if err := errors.Join(c.count(key), c.value(element, depth+1)); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for _, element := range v {
			if err := c.value(element, depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return c.typed(v, depth)
	}
}

func (c *dataCheck) enter(depth int) error {
	c.nodes++
	switch {
	case c.size() > c.budget:
		return errDataTooMuch
	case depth > maxDataDepth:
		return errDataDepth
	}
	return nil
}

// typed checks a Go value of any other type: that it ends, is valid UTF-8
// (encoding/json would replace what is not), and can be encoded.
func (c *dataCheck) typed(value any, depth int) error {
	// Go values may be far larger than their JSON form: omitted fields count
	// here, and shared parts count each time.
	within := dataCheck{budget: 16 * c.budget}
	if err := within.reflected(reflect.ValueOf(value), 0); err != nil {
		return err
	}
	encoded, err := marshal(value)
	if err != nil {
		return fmt.Errorf("has a value of type %T, which cannot be encoded as JSON", value)
	}
	if !utf8.Valid(encoded) {
		return errDataUTF8
	}
	var decoded any
	if err := unmarshalExact(encoded, &decoded); err != nil {
		return fmt.Errorf("has a value of type %T, which cannot be read back from JSON", value)
	}
	bytes, nodes := c.bytes+len(encoded), c.nodes
	err = c.value(decoded, depth)
	c.bytes, c.nodes = bytes, nodes
	return err
}

func (c *dataCheck) reflected(v reflect.Value, depth int) error {
	// Pointers and interfaces count here, which JSON does not see.
	if err := c.enter(depth / 4); err != nil {
		return err
	}
	if v.IsValid() && v.CanInterface() {
		switch v.Interface().(type) {
		case json.Marshaler, encoding.TextMarshaler:
			return nil // what it writes is checked as a whole
		}
	}
	switch v.Kind() {
	case reflect.String:
		return c.count(v.String())
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return c.reflected(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return nil // encoded as base64
		}
		for i := range v.Len() {
			if err := c.reflected(v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for keys := v.MapRange(); keys.Next(); {
			if err := errors.Join(c.reflected(keys.Key(), depth+1), c.reflected(keys.Value(), depth+1)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			if !field.IsExported() && !field.Anonymous || field.Tag.Get("json") == "-" {
				continue
			}
			if err := c.reflected(value, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// marshal is json.Marshal for values of the host's, whose methods may panic.
func marshal(value any) (encoded []byte, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("it panics")
		}
	}()
	return json.Marshal(value)
}
