package backend

import (
	"context"
	"iter"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Tailer is a [Backend] that shows the messages of one key without a group: it
// keeps no position of the reader, and nothing is acknowledged.
type Tailer interface {
	// Tail returns the messages of topic with the key that were published at
	// since or later, as far as the topic still has them, in log order, and then
	// those that are published from now on, until ctx ends. An error is the last
	// of the sequence; that ctx has ended is none. It may be ranged over once.
	Tail(ctx context.Context, topic, key string, since time.Time) iter.Seq2[*message.Message, error]
}
