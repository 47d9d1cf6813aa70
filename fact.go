package notify

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// fact is one event on its way through this process, in one allocation with the
// event. It is immutable once published.
type fact struct {
	noContext
	*Envelope // of event
	// event is a *typedEvent of the data's type, or where the compiler did not
	// know that type an *Event[any] or a *wireEvent.
	event interface{ data() any }
	kind  *eventKind
}

// wireEvent is an event that came from a wire, with what this program does not
// know of it, so that all of it survives.
type wireEvent struct {
	Event[any]
	foreign message.Metadata
	payload message.Payload
}

var _ backend.Local = (*fact)(nil)

// factOf returns a fact of the data, which is of the kind, without an envelope.
func factOf[T any](kind *eventKind, data T) *fact {
	f := &struct {
		fact
		event typedEvent[T]
	}{event: typedEvent[T]{Event: Event[T]{Data: data}}}
	f.fact.event, f.Envelope, f.kind = &f.event, &f.event.Envelope, kind
	return &f.fact
}

// anyFactOf is factOf for data whose type only the value knows.
func anyFactOf(kind *eventKind, data any) *fact {
	f := &struct {
		fact
		event Event[any]
	}{event: Event[any]{Data: data}}
	f.fact.event, f.Envelope, f.kind = &f.event, &f.event.Envelope, kind
	return &f.fact
}

// newFact returns a complete fact.
func newFact(c *codec, envelope Envelope, data any) *fact {
	f := anyFactOf(c.kindFor(data), data)
	*f.Envelope = envelope
	return f
}

// data is the event's struct, by value; Raw if its type is unknown.
func (f *fact) data() any { return f.event.data() }

func (e *Event[T]) data() any { return e.Data }

// typedEvent is an event whose data becomes an interface's value once, when
// somebody first needs that.
type typedEvent[T any] struct {
	Event[T]
	boxed atomic.Pointer[any]
}

func (e *typedEvent[T]) data() any {
	if boxed := e.boxed.Load(); boxed != nil {
		return *boxed
	}
	boxed := any(e.Data)
	e.boxed.Store(&boxed)
	return boxed
}

// foreign are the attributes that this program does not know.
func (f *fact) foreign() message.Metadata {
	if e, ok := f.event.(*wireEvent); ok {
		return e.foreign
	}
	return nil
}

// Key implements [backend.Local].
func (f *fact) Key() string { return f.key() }

func (e *Envelope) key() string {
	if e.NotificationID != "" {
		return e.NotificationID
	}
	return e.ID
}

// Wire implements [backend.Local].
func (f *fact) Wire() (*message.Message, error) { return f.kind.codec.encode(f) }

// noContext is a context that never ends and holds nothing: what a value
// that stands for a message embeds.
type noContext struct{}

var _ context.Context = noContext{}

func (noContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (noContext) Done() <-chan struct{}       { return nil }
func (noContext) Err() error                  { return nil }
func (noContext) Value(any) any               { return nil }
