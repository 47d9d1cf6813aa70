package notify

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// The topics. Work topics carry content and addresses, and only the pipeline
// reads them; events carry facts.
const (
	eventsTopic = "notify.events"
	routeTopic  = "notify.route"
)

func deliverTopic(c Channel, urgent bool) string {
	lane := ".normal"
	if urgent {
		lane = ".urgent"
	}
	return "notify.deliver." + string(c) + lane
}

// work is an item of the pipeline's work: to route a notification (Leg 0), or
// to deliver an attempt of a leg.
type work struct {
	Version int    `json:"v"`
	ID      string `json:"id"` // the notification's
	Leg     int    `json:"leg,omitempty"`
	Ordinal int    `json:"attempt,omitempty"`
	// Topic and At say where it goes and when; they are the outbox's.
	Topic string    `json:"topic,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// Record is that of the notification, for a step that finds none: as Send made
	// it, or with [NoRecords] as the step before left it.
	Record *record `json:"record,omitempty"`
}

// workVersion is the newest form of work that this program understands.
const workVersion = 1

// workType is the metadata that tells work from anything else in its topics.
const workType = "notify.work.v1"

// localWork is work that stays in this process.
type localWork struct {
	noContext
	work *work
}

var _ backend.Local = (*localWork)(nil)

// Key implements [backend.Local].
func (l *localWork) Key() string { return l.work.ID }

// Wire implements [backend.Local].
func (l *localWork) Wire() (*message.Message, error) { return l.work.wire() }

func (w *work) wire() (*message.Message, error) {
	payload, err := w.encode()
	if err != nil {
		return nil, fmt.Errorf("notify: encode work of %s: %w", w.ID, err)
	}
	m := message.NewMessage(w.ID+"/work."+strconv.Itoa(w.Leg)+"."+strconv.Itoa(w.Ordinal), payload)
	m.Metadata[backend.KeyMetadata] = w.ID
	m.Metadata[attrType] = workType
	m.Metadata[contentType] = contentJSON
	return m, nil
}

// errNewer marks work, or a record, of a version that this program does not know.
var errNewer = fmt.Errorf("of a newer version: %w", ErrUnsupported)

// encode writes what [json.Marshal] would.
func (w *work) encode() ([]byte, error) {
	o := object{data: append(make([]byte, 0, 128), '{')}
	o.number("v", int64(w.Version), true)
	o.text("id", w.ID, true)
	o.number("leg", int64(w.Leg), false)
	o.number("attempt", int64(w.Ordinal), false)
	o.text("topic", w.Topic, false)
	o.time("at", w.At)
	o.value("record", w.Record, w.Record != nil)
	return append(o.data, '}'), o.err
}

func workOf(e backend.Entry) (w work, err error) {
	if l, ok := e.(*localWork); ok {
		return *l.work, nil // a copy: the value is shared
	}
	m, err := e.Wire()
	if err != nil {
		return w, fmt.Errorf("notify: decode work: %w", err)
	}
	if err := unmarshalExact(m.Payload, &w); err != nil {
		return w, fmt.Errorf("notify: decode work: %w", err)
	}
	if w.Version > workVersion || w.Record != nil && w.Record.Version > recordVersion {
		return w, fmt.Errorf("notify: work %w", errNewer)
	}
	if w.ID == "" || w.Leg < 0 || w.Ordinal < 0 {
		return w, fmt.Errorf("notify: decode work: it names no notification")
	}
	return w, nil
}
