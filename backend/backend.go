package backend

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// KeyMetadata is the metadata entry that holds a message's key: messages of
// one key keep their order. It is the partitioning extension of CloudEvents
// ("partitionkey") under the prefix that CloudEvents attributes have in
// metadata.
const KeyMetadata = "ce_partitionkey"

// Backend carries messages. All its methods are safe for concurrent use.
type Backend interface {
	// Publisher returns a handle for publishing. Closing the handle leaves
	// the backend open.
	Publisher() (message.Publisher, error)
	// Subscriber returns a handle for the consumer group: members of one
	// group share the messages, and every group gets them all. The group's
	// position outlives the handle.
	Subscriber(group string) (message.Subscriber, error)
	// Close releases what the backend holds, after its handles' work has
	// ended. Closing twice is safe.
	Close() error
}

// DelayedPublisher is a [Backend] that can hold a message until a time.
type DelayedPublisher interface {
	// PublishAt publishes the messages to topic not before at. What it
	// accepted is held as durably as a published message. A time that has
	// passed means now. At its cap it publishes none, and returns an error that
	// wraps [ErrOverloaded]; so does [Atomic.Commit].
	PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error
}

// Admitter is a [Backend] that bounds the work that waits in a topic.
type Admitter interface {
	// Admit returns once n more messages may be published to topic, or with
	// an error that wraps [ErrOverloaded] once ctx ends. When wait is false
	// it never blocks. Publishing itself never waits: only a caller that asks
	// first is held back.
	Admit(ctx context.Context, topic string, n int, wait bool) error
}

// LocalPublisher is a [Backend] that lives in the process of its users and
// delivers the very message that was published to every group.
type LocalPublisher interface {
	// PublishLocal appends messages whose context is a [Local] to topic. The
	// caller says what [time.Now] it is, since reading the clock would be a
	// notable part of what an event costs. It never blocks and serialises
	// nothing; a message that has to leave the process, or reach code that did
	// not expect a shared message, is encoded by [Local.Wire] first. The backend
	// owns neither the messages nor what they carry: nobody may change them
	// after the call.
	PublishLocal(now time.Time, topic string, messages ...*message.Message) error
}

// Local is the context of a message that carries a value of this process
// instead of a payload.
type Local interface {
	context.Context
	// Key is the message's key, which a message with metadata has under
	// [KeyMetadata].
	Key() string
	// Wire returns a new message with the value encoded.
	Wire() (*message.Message, error)
}

// Key returns the message's key: of its [Local] context, or of its metadata.
// Messages without a key share one lane.
func Key(m *message.Message) string {
	if local, ok := m.Context().(Local); ok {
		return local.Key()
	}
	return m.Metadata[KeyMetadata]
}

// Wire returns m itself when it has a payload of its own, and the encoded
// copy of a [Local] message.
func Wire(m *message.Message) (*message.Message, error) {
	if local, ok := m.Context().(Local); ok {
		return local.Wire()
	}
	return m, nil
}

// Errors that a backend's methods wrap.
var (
	// ErrConflict: the stored revision is not the one that was expected.
	ErrConflict = errors.New("the record was changed meanwhile")
	// ErrNotFound: there is nothing under that ID or alias.
	ErrNotFound = errors.New("not found")
	// ErrOverloaded: a stated cap is reached; try again later.
	ErrOverloaded = errors.New("overloaded")
	// ErrClosed: the backend or the handle has been closed.
	ErrClosed = errors.New("closed")
)
