package backend

import (
	"errors"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Batch is a run of messages in log order that one call of
// [Consumption.Handle] goes through. A redelivered message comes alone.
//
// The handler claims message after message by Next. The backend may take back
// what is not claimed yet, by Reclaim and at any time, so that messages behind
// a slow one need not wait for it.
type Batch struct {
	// Attempt counts the deliveries of a message that comes alone, from 1. It
	// is 1 for a batch of several.
	Attempt int

	entries []Entry
	at      int          // index of the claimed message; the handler's own
	claimed atomic.Int64 // messages claimed so far; the bit reclaimed
	exited  bool         // Exit was told the following
	done    int
	err     error
}

// reclaimed is the bit of Batch.claimed that says the rest was taken back.
const reclaimed = 1 << 40

// NewBatch returns a batch of the messages, of which none is claimed.
func NewBatch(attempt int, messages ...*message.Message) *Batch {
	b := &Batch{Attempt: attempt, at: -1}
	for _, m := range messages {
		b.entries = append(b.entries, EntryOf(m))
	}
	return b
}

// Reset makes b a batch of what the entries are, so that a backend can use one
// value again. Nobody else may use b meanwhile.
func (b *Batch) Reset(attempt int, entries []Entry) {
	b.Attempt, b.entries, b.at = attempt, entries, -1
	b.exited, b.done, b.err = false, 0, nil
	b.claimed.Store(0)
}

// Next claims the next message. It returns false when there is none, or when
// the backend took the rest back. Only the handler calls it. Claiming a message
// says that the one before is finished: its key may go on elsewhere.
func (b *Batch) Next() bool {
	next := b.at + 1
	if next >= len(b.entries) || !b.claimed.CompareAndSwap(int64(next), int64(next)+1) {
		return false
	}
	b.at = next
	return true
}

// Message is the message that Next claimed. For a [Local] value that is a new
// one each time, with the value as its context.
func (b *Batch) Message() *message.Message { return MessageOf(b.entries[b.at]) }

// Entry is what Next claimed, as the topic has it.
func (b *Batch) Entry() Entry { return b.entries[b.at] }

// Len is how many messages the batch was made of.
func (b *Batch) Len() int { return len(b.entries) }

// Reclaim takes back what is not claimed, and returns how many messages were
// claimed before: those from that index on are the caller's again, and Next
// returns false from now on. It is safe to call while the handler runs;
// a second call returns the same.
func (b *Batch) Reclaim() int {
	for {
		claimed := b.claimed.Load()
		if claimed&reclaimed != 0 || b.claimed.CompareAndSwap(claimed, claimed|reclaimed) {
			return int(claimed &^ reclaimed)
		}
	}
}

// Exit reports how the batch ended, in place of Handle's return values: a
// deferred function of Handle calls it when a handler ends its goroutine
// ([runtime.Goexit], which [testing.T.FailNow] calls).
func (b *Batch) Exit(done int, err error) { b.exited, b.done, b.err = true, done, err }

// Exited returns what Exit was told. If it was told nothing, the message that
// was claimed last has failed. The backend calls it when Handle's goroutine
// ended without returning.
func (b *Batch) Exited() (done int, err error) {
	if b.exited {
		return b.done, b.err
	}
	return max(b.at, 0), errExited
}

var errExited = errors.New("the handler ended its goroutine")
