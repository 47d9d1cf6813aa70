package fanout

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// segmentSize is the length of a segment, and so of the longest batch.
const segmentSize = 256

// segment is a run of a topic's log. The topic writes it below tail only.
type segment struct {
	first   int64 // sequence number of messages[0]
	entries []backend.Entry
	// stamps are the caller's, or when each was appended, since topic.born.
	stamps []int64
	// next is set before tail passes the segment, and nil again when the
	// topic dropped it: a reader that is stuck must not hold the whole chain.
	next atomic.Pointer[segment]
}

// held is the message with the sequence number.
func (s *segment) held(seq int64) held {
	i := seq - s.first
	return held{place{seq: seq, stamp: s.stamps[i]}, s.entries[i]}
}

func (s *segment) end() int64 { return s.first + int64(len(s.entries)) }

// Topic is a log that is appended once and read by every group.
type Topic struct {
	config *Config
	size   int // of a segment
	born   time.Time

	// tail is the sequence number of the next message. It is written under mu
	// after the message is in its segment.
	tail atomic.Int64
	// groups is replaced, under mu, and never changed.
	groups atomic.Pointer[[]*Group]

	mu         sync.Mutex // after a group's mu, never before it
	head, last *segment
	newest     int64     // the last of stamps
	listed     []*worker // to be woken by the next append
	spare      []*worker // a used buffer of listed

	watch watch
	gate  *Gate
}

// New returns a topic without groups. config stays as it is.
func New(config *Config) *Topic {
	t := &Topic{config: config, born: time.Now(), newest: config.Last}
	// Small retentions need small segments, or they would not be kept to.
	t.size = min(segmentSize, max(1, config.Retention/4))
	t.head = t.segment(0)
	t.last = t.head
	t.groups.Store(new([]*Group))
	t.watch.topic = t
	t.gate = NewGate(config.MaxWork, t.backlog)
	return t
}

func (t *Topic) segment(first int64) *segment {
	return &segment{first: first, entries: make([]backend.Entry, t.size), stamps: make([]int64, t.size)}
}

// Append adds messages to the log, stamped with the time, and wakes the groups
// that wait for them. It keeps the messages, not the slice.
func (t *Topic) Append(now time.Time, entries ...backend.Entry) {
	stamp := int64(now.Sub(t.born))
	t.mu.Lock()
	stamp = max(stamp, t.newest) // callers may overtake each other
	t.newest = stamp
	tail := t.tail.Load()
	for _, m := range entries {
		t.put(tail, stamp, m)
		tail++
	}
	t.publish(tail)
}

// AppendStamped is Append with a stamp for each message that means something to
// the caller alone.
func (t *Topic) AppendStamped(stamps []int64, entries []backend.Entry) {
	t.mu.Lock()
	tail := t.tail.Load()
	for i, m := range entries {
		t.newest = stamps[i]
		t.put(tail, t.newest, m)
		tail++
	}
	t.publish(tail)
}

// put writes a message beyond the tail. mu is held.
func (t *Topic) put(seq, stamp int64, m backend.Entry) {
	if seq == t.last.end() {
		t.grow()
	}
	i := seq - t.last.first
	t.last.entries[i], t.last.stamps[i] = m, stamp
}

// publish moves the tail, releases mu, and wakes who waits.
func (t *Topic) publish(tail int64) {
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
func (t *Topic) grow() {
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
func (t *Topic) await(w *worker, pos int64) bool {
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
func (t *Topic) unlist(w *worker) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !w.listed {
		return
	}
	w.listed = false
	t.listed = slices.DeleteFunc(t.listed, func(other *worker) bool { return other == w })
}

// find returns the group, or nil. mu is held.
func (t *Topic) find(name string) *Group {
	for _, g := range *t.groups.Load() {
		if g.name == name {
			return g
		}
	}
	return nil
}

// Close drops everything, and ends the groups. Handlers may still run.
func (t *Topic) Close() {
	t.watch.stop()
	for _, g := range *t.groups.Load() {
		g.forget()
	}
}
