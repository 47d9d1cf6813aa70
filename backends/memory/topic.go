package memory

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// segmentSize is the length of a segment, and so of the longest batch.
const segmentSize = 256

// segment is a run of a topic's log. The topic writes it below tail only.
type segment struct {
	first    int64 // sequence number of messages[0]
	messages []*message.Message
	times    []time.Duration // when each was appended, since topic.born
	// next is set before tail passes the segment, and nil again when the
	// topic dropped it: a reader that is stuck must not hold the whole chain.
	next atomic.Pointer[segment]
}

func (s *segment) end() int64 { return s.first + int64(len(s.messages)) }

// topic is a log that is appended once and read by every group.
type topic struct {
	config *Config
	size   int // of a segment
	born   time.Time

	// tail is the sequence number of the next message. It is written under mu
	// after the message is in its segment.
	tail atomic.Int64
	// groups is replaced, under mu, and never changed.
	groups atomic.Pointer[[]*group]

	mu         sync.Mutex // after a group's mu, never before it
	head, last *segment
	newest     time.Duration // the last of times
	listed     []*worker     // to be woken by the next append
	spare      []*worker     // a used buffer of listed

	watch watch
	gate  gate
}

func newTopic(config *Config) *topic {
	t := &topic{config: config, born: time.Now()}
	// Small retentions need small segments, or they would not be kept to.
	t.size = min(segmentSize, max(1, config.Retention/4))
	t.head = t.segment(0)
	t.last = t.head
	t.groups.Store(new([]*group))
	t.watch.topic = t
	t.gate.topic = t
	return t
}

func (t *topic) segment(first int64) *segment {
	return &segment{first: first, messages: make([]*message.Message, t.size), times: make([]time.Duration, t.size)}
}

// append adds messages to the log and wakes the groups that wait for them. It
// keeps the messages, not the slice.
func (t *topic) append(now time.Time, messages ...*message.Message) {
	at := now.Sub(t.born)
	t.mu.Lock()
	at = max(at, t.newest) // callers may overtake each other
	t.newest = at
	tail := t.tail.Load()
	for _, m := range messages {
		if tail == t.last.end() {
			t.grow()
		}
		i := tail - t.last.first
		t.last.messages[i], t.last.times[i] = m, at
		tail++
	}
	t.tail.Store(tail)
	if len(t.listed) == 0 {
		t.mu.Unlock()
		return
	}
	wake := t.listed
	t.listed, t.spare = t.spare, nil
	for _, w := range wake {
		w.listed = false
	}
	t.mu.Unlock()

	for _, w := range wake {
		w.wake()
	}
	clear(wake)
	t.mu.Lock()
	t.spare = wake[:0]
	t.mu.Unlock()
}

// grow appends a segment and drops those that nobody needs or that are beyond
// the retention. mu is held.
func (t *topic) grow() {
	end := t.last.end()
	next := t.segment(end)
	t.last.next.Store(next)
	t.last = next

	passed := int64(-1)
	for i, g := range *t.groups.Load() {
		if low := g.low.Load(); i == 0 || low < passed {
			passed = low
		}
	}
	for t.head != t.last && (t.head.end() <= passed || end-t.head.end() >= int64(t.config.Retention)) {
		head := t.head
		t.head = head.next.Load()
		head.next.Store(nil)
	}
}

// await lists the worker for the next append and returns true, or returns
// false if there are messages from pos on already.
func (t *topic) await(w *worker, pos int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tail.Load() > pos {
		return false
	}
	if !w.listed {
		w.listed = true
		t.listed = append(t.listed, w)
	}
	return true
}

// unlist undoes await.
func (t *topic) unlist(w *worker) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !w.listed {
		return
	}
	w.listed = false
	t.listed = slices.DeleteFunc(t.listed, func(other *worker) bool { return other == w })
}

// find returns the group, or nil. mu is held.
func (t *topic) find(name string) *group {
	for _, g := range *t.groups.Load() {
		if g.name == name {
			return g
		}
	}
	return nil
}
