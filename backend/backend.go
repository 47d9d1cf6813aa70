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
	// Admit returns nil once n more messages may be published to topic, or an
	// error that wraps [ErrOverloaded] once ctx ends. When wait is false it
	// never blocks. Publishing itself never waits: only a caller of Admit is
	// held back.
	Admit(ctx context.Context, topic string, n int, wait bool) error
}

// LocalPublisher is a [Backend] that lives in the process of its users and
// delivers the very value that was published to every group.
type LocalPublisher interface {
	// PublishLocal appends a value to topic, in place of a message. The caller
	// passes the current time, since reading the clock would be a notable part
	// of what an event costs. It never blocks and serialises nothing; a value
	// that has to leave the process, or to reach code that expects a message of
	// its own, is encoded by Wire first. The backend does not own the value:
	// nobody may change it after the call.
	PublishLocal(now time.Time, topic string, value Local) error
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
