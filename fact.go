package notify

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// fact is one event on its way through this process: the envelope, the typed
// value, the message, and that message's context, in one allocation. It is
// immutable once published.
type fact struct {
	noContext
	Envelope
	// data holds the event's struct, by value; Raw if its type is unknown.
	data any
	// payload is the encoded data as it came from a wire, so that fields which
	// this program does not know survive; nil if the fact was made here.
	payload []byte
	codec   *codec
	msg     message.Message
	alone   [1]*message.Message // the message as a list
}

var _ backend.Local = (*fact)(nil)

func newFact(c *codec, envelope Envelope, data any) *fact {
	f := &fact{Envelope: envelope, data: data, codec: c}
	f.complete()
	return f
}

// complete makes the message, once the envelope has its ID.
func (f *fact) complete() {
	f.msg.UUID = f.ID
	f.msg.SetContext(f)
	f.alone[0] = &f.msg
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
