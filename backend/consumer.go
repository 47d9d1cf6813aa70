package backend

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Consumer is a [Backend] that delivers to a group by itself.
type Consumer interface {
	// Consume delivers the topic's messages to c.Handle as one member of
	// c.Group, until ctx ends; it then hands out nothing more, waits for the
	// calls of Handle that are under way, and returns nil. Members of one
	// group share the messages; what a member that left had not finished goes
	// to another, or waits. Closing the backend ends it too, with nil or an error
	// that wraps [ErrClosed].
	//
	// Messages of one key are handled one at a time in log order; different
	// keys concurrently. A group without a position starts at the oldest
	// message that the topic still has (see [Positioner] to fix another).
	// A message is acknowledged when Handle counts it as done; positions move
	// in log order, so that a crash redelivers and never skips.
	//
	// A message that fails is parked: it leaves the window, so that its key
	// waits and no other does, and is delivered again, alone, after
	// c.Backoff. What arrives for a parked key queues behind it, and where the
	// queue is bounded, beyond that goes to c.Overflow.
	Consume(ctx context.Context, c Consumption) error
}

// Consumption says what to consume and how. Topic, Group and Handle are
// required.
type Consumption struct {
	Topic string
	Group string

	// Concurrency is how many keys may be handled at once; default 1. Workers
	// beyond the first start when handlers are slow.
	Concurrency int
	// MaxBatch bounds the messages of one Batch; default 256.
	MaxBatch int
	// Backoff is the pause before a failed message is delivered again;
	// attempt counts from 1. Default: 100 ms doubling to 1 minute.
	Backoff func(attempt int, err error) time.Duration
	// Handle handles a batch: it goes through it by [Batch.Next], and returns
	// how many messages it finished. A non-nil error is about the message at
	// the index done, which failed; what comes after it is delivered again as
	// if it had not been claimed. With a nil error, done less than the batch's
	// length gives the rest back.
	//
	// Its context is not canceled when Consume's is: what is under way may
	// finish. It must not panic. If it ends its goroutine instead of returning,
	// [Batch.Exited] has the result, and another goroutine goes on.
	Handle func(ctx context.Context, b *Batch) (done int, err error)
	// Overflow, if set, gets a message that has no room to queue behind one of
	// its key that has failed. A nil error means that it is finished; otherwise
	// the group reads no further, and Overflow is called again after Backoff.
	// It is called while Handle is, for other messages, and like that it must
	// not panic. Without it the group reads no further until there is room.
	Overflow func(m *message.Message) error
	// Skipped, if set, is told when the group fell behind what the topic
	// keeps and was moved forward over the messages with the sequence numbers
	// from <= n < to. It must not block.
	Skipped func(from, to int64)
}

// Complete checks a consumption, and sets the defaults of fields that are not
// set: every [Consumer] begins with it.
func (c *Consumption) Complete() error {
	switch {
	case c.Topic == "":
		return errors.New("Consumption.Topic is empty")
	case c.Group == "":
		return errors.New("Consumption.Group is empty")
	case c.Handle == nil:
		return errors.New("Consumption.Handle is nil")
	}
	c.Concurrency = max(c.Concurrency, 1)
	if c.MaxBatch <= 0 {
		c.MaxBatch = 256
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int, _ error) time.Duration {
			return min(100*time.Millisecond<<min(max(attempt, 1)-1, 10), time.Minute)
		}
	}
	return nil
}

// Positioner is a [Backend] whose groups have positions that can be set and
// measured. A position belongs to (topic, group), and outlives the group's
// members.
type Positioner interface {
	// Fix gives the group a position, if it has none.
	Fix(ctx context.Context, topic, group string, from Start) error
	// Rename moves the position of group from to group to, if from has one
	// and to has none.
	Rename(ctx context.Context, topic, from, to string) error
	// Forget drops the group's position: its messages need not be kept.
	Forget(ctx context.Context, topic, group string) error
	// Lag is how many messages the group has not finished.
	Lag(ctx context.Context, topic, group string) (int64, error)
	// CatchUp blocks until the group has finished everything that was
	// published before the call, parked messages included, or ctx ends.
	CatchUp(ctx context.Context, topic, group string) error
}

// Start is where a new group begins to read. Its zero value is [FromNow].
type Start struct {
	oldest bool
	since  time.Time
}

// FromNow begins with what is published after the position was fixed.
func FromNow() Start { return Start{} }

// FromOldest begins with the oldest message that the topic still has.
func FromOldest() Start { return Start{oldest: true} }

// FromTime begins with the first message published at t or later, as far as
// the topic still has them.
func FromTime(t time.Time) Start { return Start{since: t} }

// Oldest tells whether the start is [FromOldest].
func (s Start) Oldest() bool { return s.oldest }

// Time is the time of [FromTime], or zero.
func (s Start) Time() time.Time { return s.since }
