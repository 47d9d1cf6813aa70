package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever decodes can be written again, on a wire and into a record, and
// means the same then. Nothing panics.
func FuzzDecode(f *testing.F) {
	c := newCodec("/shop")
	for _, sample := range samples() {
		m, err := c.encode(newFact(c, sampleEnvelope(snakeCase(reflect.TypeOf(sample).Name())), sample))
		require.NoError(f, err)
		f.Add(m.Metadata[attrID], m.Metadata[attrType], m.Metadata[attrSource], m.Metadata[attrTime],
			m.Metadata[attrTenant], m.Metadata[attrLabels], m.Metadata[attrDepth], "added", m.Metadata[contentType], []byte(m.Payload))
	}
	f.Add("1", "other", "http://[::1]/", "2026-01-01T00:00:00+01:00", "\u007f", `{"\ud800":"\u2028"}`, "+7", "\xff", "", []byte(` [1]`))
	f.Fuzz(func(t *testing.T, id, eventType, source, at, tenant, labels, depth, extra, media string, payload []byte) {
		m := message.NewMessage("", payload)
		m.Metadata = message.Metadata{
			attrSpecVersion: specVersion, attrID: id, attrType: eventType, attrSource: source, attrTime: at,
			attrTenant: tenant, attrLabels: labels, attrDepth: depth, "ce_extra": extra, contentType: media,
		}
		decoded, err := c.decode(m)
		if err != nil {
			return
		}
		again, err := c.encode(decoded)
		if errors.Is(err, ErrTooLarge) {
			return // labels may grow when they are escaped
		}
		require.NoError(t, err)
		requireSameFact(t, c, decoded, again)
		require.True(t, bytes.Equal(decoded.event.(*wireEvent).payload, again.Payload))

		stored, err := c.appendStored(nil, decoded)
		require.NoError(t, err)
		require.True(t, json.Valid(stored))
		loaded, err := c.loadStored(stored)
		require.NoError(t, err)
		again, err = c.encode(loaded)
		require.NoError(t, err)
		requireSameFact(t, c, decoded, again)
	})
}

func requireSameFact(t require.TestingT, c *codec, want *fact, m *message.Message) {
	got, err := c.decode(m)
	require.NoError(t, err)
	require.Equal(t, want.Envelope, got.Envelope)
	require.Equal(t, want.foreign(), got.foreign())
	if _, isRaw := want.data().(Raw); !isRaw {
		require.Equal(t, want.data(), got.data())
	}
}

func FuzzLoadStored(f *testing.F) {
	c := newCodec("/shop")
	for _, sample := range samples() {
		stored, err := c.appendStored(nil, newFact(c, sampleEnvelope(snakeCase(reflect.TypeOf(sample).Name())), sample))
		require.NoError(f, err)
		f.Add(stored)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		loaded, err := c.loadStored(stored)
		if err != nil {
			return
		}
		again, err := c.appendStored(nil, loaded)
		if errors.Is(err, ErrTooLarge) {
			return
		}
		require.NoError(t, err)
		reloaded, err := c.loadStored(again)
		require.NoError(t, err)
		require.Equal(t, loaded.Envelope, reloaded.Envelope)
		require.Equal(t, loaded.data(), reloaded.data())
	})
}

func TestAnyEventTravels(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	kinds := builtinTypes(nil).byName
	names := slices.Sorted(maps.Keys(kinds))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "type")
		event := reflect.New(kinds[name].event).Elem()
		fill(t, name, event)
		f := newFact(c, drawEnvelope(t, name), event.Interface())

		m, err := c.encode(f)
		require.NoError(t, err)
		requireSameFact(t, c, f, m)
		stored, err := c.appendStored(nil, f)
		require.NoError(t, err)
		loaded, err := c.loadStored(stored)
		require.NoError(t, err)
		again, err := c.encode(loaded)
		require.NoError(t, err)
		require.Equal(t, m.Metadata, again.Metadata)
		require.Equal(t, string(m.Payload), string(again.Payload))
	})
}

func drawEnvelope(t *rapid.T, name string) Envelope {
	text := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return !forbiddenRune(r) }))
	labels := rapid.MapOfN(rapid.String(), rapid.String(), 0, 16).Draw(t, "labels")
	if len(labels) == 0 {
		labels = nil
	}
	e := Envelope{
		ID:             rapid.StringMatching(`[!-~]{1,40}`).Draw(t, "id"),
		Type:           name,
		Source:         rapid.StringMatching(`(https://[a-z]{1,9})?/[a-z0-9/_.-]{0,20}`).Draw(t, "source"),
		NotificationID: text.Draw(t, "notification"),
		RecipientID:    text.Draw(t, "recipient"),
		Tenant:         text.Draw(t, "tenant"),
		Category:       text.Draw(t, "category"),
		Labels:         labels,
		Time:           drawTime(t, "time"),
		Seen:           drawTime(t, "seen"),
		CausationID:    text.Draw(t, "causation"),
		Depth:          rapid.IntRange(0, math.MaxInt32).Draw(t, "depth"),
		TraceParent:    text.Draw(t, "traceparent"),
	}
	if e.TraceParent != "" {
		e.TraceState = text.Draw(t, "tracestate")
	}
	return e
}

func drawTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+" is zero") {
		return time.Time{}
	}
	seconds := rapid.Int64Range(-60_000_000_000, 250_000_000_000).Draw(t, label)
	return time.Unix(seconds, rapid.Int64Range(0, 999_999_999).Draw(t, label+" ns")).UTC()
}

// fill draws every field of an event.
func fill(t *rapid.T, path string, value reflect.Value) {
	switch value.Interface().(type) {
	case time.Time:
		value.Set(reflect.ValueOf(drawTime(t, path)))
		return
	case Route:
		value.Set(reflect.ValueOf(drawRoute(t, path, 3)))
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			fill(t, path+"."+value.Type().Field(i).Name, value.Field(i))
		}
	case reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, "len "+path); n > 0 {
			value.Set(reflect.MakeSlice(value.Type(), n, n))
		}
		for i := range value.Len() {
			fill(t, path+"[]", value.Index(i))
		}
	case reflect.String:
		value.SetString(rapid.String().Draw(t, path))
	case reflect.Bool:
		value.SetBool(rapid.Bool().Draw(t, path))
	case reflect.Int, reflect.Int64:
		value.SetInt(rapid.Int64().Draw(t, path))
	case reflect.Float64:
		value.SetFloat(rapid.Float64().Draw(t, path))
	default:
		t.Fatalf("%s: no generator for a %s", path, value.Kind())
	}
}

func drawRoute(t *rapid.T, label string, deepest int) Route {
	kind := rapid.IntRange(0, 3).Draw(t, label)
	if deepest == 0 || kind == 1 {
		return Channel(rapid.StringMatching(`[a-z0-9_-]{1,32}`).Draw(t, label)).asRoute()
	}
	if kind == 0 {
		return Route{}
	}
	steps := make([]Step, rapid.IntRange(1, 3).Draw(t, label+" steps"))
	for i := range steps {
		steps[i] = drawRoute(t, label, deepest-1)
	}
	route := All(steps...)
	if kind == 2 {
		route = First(steps...)
	}
	if rapid.Bool().Draw(t, label+" on doubt") {
		route = route.OnDoubt()
	}
	return route
}

// What Emit accepts of an envelope has a form on a wire, and what it refuses
// has none.
func TestCheckAttributesFindsWhatAWireWould(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	rapid.Check(t, func(t *rapid.T) {
		e := drawEnvelope(t, "notify.opened.v1")
		for _, field := range []*string{&e.ID, &e.Type, &e.Source, &e.NotificationID, &e.RecipientID, &e.Tenant, &e.Category, &e.CausationID, &e.TraceParent, &e.TraceState} {
			if rapid.IntRange(0, 9).Draw(t, "spoil") == 0 {
				*field = rapid.OneOf(rapid.Just(""), rapid.String(), rapid.Just("\xff"), rapid.Just(strings.Repeat("a", maxAttributesBytes+1))).Draw(t, "text")
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "year") == 0 {
			e.Time = e.Time.AddDate(10_000, 0, 0)
		}
		e.Depth *= rapid.SampledFrom([]int{1, 1, 1, -1, 1 << 20}).Draw(t, "depth factor")
		f := newFact(c, e, Opened{})
		var checked, written problems
		c.checkAttributes(f, &checked)
		c.attributes(nil, f, &written)
		require.Equal(t, written.err() == nil, checked.err() == nil, "checked: %v; written: %v", checked.err(), written.err())
	})
}
