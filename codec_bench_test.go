package notify

import (
	"reflect"
	"testing"
)

// A Sent as an e-mail without labels and causes has it.
func benchFact(c *codec) *fact {
	e := sampleEnvelope("sent")
	e.Labels, e.CausationID, e.Depth = nil, "", 0
	return newFact(c, e, samples()[5])
}

func BenchmarkKindOf(b *testing.B) {
	c := newCodec("/shop/notify")
	var data any = samples()[5]
	b.ReportAllocs()
	for b.Loop() {
		if c.kindOf(reflect.TypeOf(data)) == nil {
			b.Fatal("not known")
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	c := newCodec("/shop/notify")
	f := benchFact(c)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.encode(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	c := newCodec("/shop/notify")
	m, err := c.encode(benchFact(c))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.decode(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendStored(b *testing.B) {
	c := newCodec("/shop/notify")
	f := benchFact(c)
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		stored, err := c.appendStored(buffer[:0], f)
		if err != nil {
			b.Fatal(err)
		}
		buffer = stored
	}
}

func BenchmarkLoadStored(b *testing.B) {
	c := newCodec("/shop/notify")
	stored, err := c.appendStored(nil, benchFact(c))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.loadStored(stored); err != nil {
			b.Fatal(err)
		}
	}
}
