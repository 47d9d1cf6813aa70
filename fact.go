package notify

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// fact is one event on its way through this process: the event, the message,
// and that message's context, in one allocation. It is immutable once
// published.
type fact struct {
	noContext
	*Envelope // of event
	// event is a *typedEvent of the data's type, or an *Event[any] where the
	// compiler did not know that type.
	event interface{ data() any }
	kind  *eventKind // nil: the data is no event of this program
	codec *codec
	// msg has the attributes that this program does not know, and the data, as
	// they came from a wire, so that all of it survives; neither if the fact was
	// made here.
	msg   message.Message
	alone [1]*message.Message // the message as a list
}

var _ backend.Local = (*fact)(nil)

// factOf returns a fact of the data, which is of the kind, without an envelope.
func factOf[T any](c *codec, kind *eventKind, data T) *fact {
	f := &struct {
		fact
		event typedEvent[T]
	}{event: typedEvent[T]{Event: Event[T]{Data: data}}}
	f.fact.event, f.Envelope, f.kind, f.codec = &f.event, &f.event.Envelope, kind, c
	return &f.fact
}

// anyFactOf is factOf for data whose type only the value knows.
func anyFactOf(c *codec, kind *eventKind, data any) *fact {
	f := &struct {
		fact
		event Event[any]
	}{event: Event[any]{Data: data}}
	f.fact.event, f.Envelope, f.kind, f.codec = &f.event, &f.event.Envelope, kind, c
	return &f.fact
}

// newFact returns a complete fact.
func newFact(c *codec, envelope Envelope, data any) *fact {
	f := anyFactOf(c, c.kindOf(reflect.TypeOf(data)), data)
	*f.Envelope = envelope
	f.complete()
	return f
}

// complete makes the message, once the envelope has its ID.
func (f *fact) complete() {
	f.msg.UUID = f.ID
	f.msg.SetContext(f)
	f.alone[0] = &f.msg
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

// message is what a LocalPublisher takes.
func (f *fact) message() *message.Message { return &f.msg }

// Key implements [backend.Local].
func (f *fact) Key() string { return f.key() }

func (e *Envelope) key() string {
	if e.NotificationID != "" {
		return e.NotificationID
	}
	return e.ID
}

// Wire implements [backend.Local].
func (f *fact) Wire() (*message.Message, error) { return f.codec.encode(f) }

// noContext is a context that never ends and holds nothing: what a message
// that is its own context embeds.
type noContext struct{}

var _ context.Context = noContext{}

func (noContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (noContext) Done() <-chan struct{}       { return nil }
func (noContext) Err() error                  { return nil }
func (noContext) Value(any) any               { return nil }
