package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	specVersion     = "1.0"
	contentJSON     = "application/json"
	cloudEventsJSON = "application/cloudevents+json" // structured mode

	// What is larger is neither written nor read. A broker's own limit may be
	// lower: Kafka's default is 1 MiB for a whole batch.
	maxPayloadBytes    = 1 << 20
	maxAttributesBytes = 64 << 10
)

// codec turns facts into CloudEvents 1.0 and back: in binary mode, which as
// message metadata follows the CloudEvents Kafka binding, and in the JSON
// format for what is kept inside a record. It is safe for concurrent use.
type codec struct {
	source        string
	sourceProblem string

	registering sync.Mutex // held to replace types
	types       atomic.Pointer[eventTypes]
	foreign     eventKind // of what this program does not know
}

// newCodec knows the events of this package. The source is that of the facts
// that have none; it must pass sourceProblem, or nothing can be encoded.
func newCodec(source string) *codec {
	c := &codec{source: source, sourceProblem: sourceProblem(source)}
	c.foreign.codec = c
	c.types.Store(builtinTypes(c))
	return c
}

// register adds a host's event, under its type on the wire.
func (c *codec) register(t reflect.Type, wireName string) error {
	c.registering.Lock()
	defer c.registering.Unlock()
	next, err := c.types.Load().with(c, t, wireName)
	if err != nil {
		return err
	}
	c.types.Store(next)
	return nil
}

// kindOf returns the kind of an event's struct, or nil if it is no event.
func (c *codec) kindOf(t reflect.Type) *eventKind { return c.types.Load().byType[t] }

// kindFor is kindOf for data of any kind: it is never nil.
func (c *codec) kindFor(data any) *eventKind {
	if kind := c.kindOf(reflect.TypeOf(data)); kind != nil {
		return kind
	}
	return &c.foreign
}

// encode returns a new message with the fact in CloudEvents binary mode. It
// may share the fact's payload.
func (c *codec) encode(f *fact) (*message.Message, error) {
	var found problems
	var buffer [maxAttributes]attribute
	attributes := c.attributes(buffer[:0], f, &found)
	payload := c.payload(f, &found)
	if err := found.err(); err != nil {
		return nil, fmt.Errorf("notify: encode event: %w", err)
	}
	m := message.NewMessage(f.ID, payload)
	m.Metadata = make(message.Metadata, len(attributes)+len(f.foreign())+1)
	maps.Copy(m.Metadata, f.foreign())
	for _, a := range attributes {
		m.Metadata[a.name] = a.value
	}
	m.Metadata[contentType] = contentJSON
	return m, nil
}

// decode reads what encode has written, or another program's event in either
// mode. The fact shares the message's payload. Attributes that this program
// does not know are kept, and encoded again.
func (c *codec) decode(m *message.Message) (*fact, error) {
	if mediaType(m.Metadata[contentType]) == cloudEventsJSON {
		return c.loadStored(m.Payload)
	}
	return c.decodeBinary(m)
}

func (c *codec) decodeBinary(m *message.Message) (*fact, error) {
	var found problems
	envelope, extra := readAttributes(m.Metadata, c.source, &found)
	if media := mediaType(m.Metadata[contentType]); media != contentJSON {
		found.add(contentType, "must be %s", contentJSON)
	}
	payload := m.Payload[:len(m.Payload):len(m.Payload)]
	data := c.data(envelope.Type, payload, &found)
	if err := found.err(); err != nil {
		return nil, fmt.Errorf("notify: decode event: %w", err)
	}
	e := &wireEvent{Event: Event[any]{Envelope: envelope, Data: data}, foreign: extra, payload: payload}
	return &fact{event: e, Envelope: &e.Envelope, kind: c.kindFor(data)}, nil
}

// payload returns the fact's data as JSON: as it came, if it came from a wire.
func (c *codec) payload(f *fact, found *problems) []byte {
	var payload []byte
	if e, ok := f.event.(*wireEvent); ok {
		payload = e.payload
	}
	data := f.data()
	raw, isRaw := data.(Raw)
	switch {
	case payload != nil:
	case isRaw:
		if payload = raw; !json.Valid(raw) {
			found.add("data", "must be JSON")
		}
	case data == nil:
		found.add("data", "is missing")
	default:
		err := safely(func() (err error) { // its MarshalJSON is the host's
			payload, err = json.Marshal(data)
			return err
		})
		if err != nil {
			found.add("data", "%T cannot be written as JSON%s", data, jsonProblem(err))
		}
	}
	if len(payload) > maxPayloadBytes {
		found.addErr(ErrTooLarge, "data", "is over %d bytes", maxPayloadBytes)
	}
	return payload[:len(payload):len(payload)]
}

// data returns the struct that the payload holds.
func (c *codec) data(wireName string, payload []byte, found *problems) any {
	kind, known := c.types.Load().byName[wireName]
	switch {
	case len(payload) > maxPayloadBytes:
		found.addErr(ErrTooLarge, "data", "is over %d bytes", maxPayloadBytes)
	case len(payload) == 0, string(bytes.TrimSpace(payload)) == "null":
		found.add("data", "is missing")
	case !utf8.Valid(payload):
		found.add("data", "must be valid UTF-8")
	case !known && !json.Valid(payload):
		found.add("data", "must be JSON")
	case !known:
		return Raw(payload)
	default:
		value := reflect.New(kind.event)
		if err := safely(func() error { return json.Unmarshal(payload, value.Interface()) }); err != nil {
			found.add("data", "does not fit %s%s", wireName, jsonProblem(err))
		}
		return value.Elem().Interface()
	}
	return nil
}

// jsonProblem says what is wrong without the value, which the texts of
// encoding/json hold.
func jsonProblem(err error) string {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var unsupported *json.UnsupportedTypeError
	switch {
	case errors.As(err, &wrongType):
		return fmt.Sprintf(": field %q must be of type %s", wrongType.Field, wrongType.Type)
	case errors.As(err, &syntax):
		return fmt.Sprintf(": not JSON, from byte %d on", syntax.Offset)
	case errors.As(err, &unsupported):
		return fmt.Sprintf(": no form for type %s", unsupported.Type)
	default:
		return ""
	}
}

// mediaType returns the type without parameters. None is JSON, as CloudEvents
// has it.
func mediaType(value string) string {
	if value == "" || value == contentJSON {
		return contentJSON
	}
	media, _, _ := mime.ParseMediaType(value)
	if strings.HasSuffix(media, "+json") && !strings.HasPrefix(media, "application/cloudevents") {
		return contentJSON
	}
	return media
}

// Encode returns an event as CloudEvents 1.0 in binary mode, as it travels:
// with attributes as metadata (ce_id, ce_type, ...) and JSON as payload.
func (n *Notifier) Encode(e Event[any]) (*message.Message, error) {
	return n.codec.encode(newFact(n.codec, e.Envelope, e.Data))
}

// Decode reads what Encode wrote, here or elsewhere. An event of a type that is
// not registered has [Raw] data.
func (n *Notifier) Decode(m *message.Message) (Event[any], error) {
	f, err := n.codec.decode(m)
	if err != nil {
		return Event[any]{}, err
	}
	return Event[any]{Envelope: *f.Envelope, Data: f.data()}, nil
}
