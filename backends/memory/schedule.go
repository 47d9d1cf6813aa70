package memory

import (
	"container/heap"
	"time"
)

// schedule finds entries by a time that is rewritten often. An entry is in its
// heap at most once in earnest, at its time or earlier: moving the time later
// costs nothing, and is made up for when the old time comes.
type schedule struct {
	when func(*entry) *slot
	heap slots
}

// slot is what an entry knows of one schedule. Due is its time (zero: none),
// queued the time under which it is in the heap (zero: it is not).
type slot struct{ due, queued time.Time }

// set gives the entry a time.
func (s *schedule) set(e *entry, due time.Time) {
	slot := s.when(e)
	slot.due = due
	if due.IsZero() || !slot.queued.IsZero() && !slot.queued.After(due) {
		return
	}
	slot.queued = due
	s.push(scheduled{due, e})
}

// push and pop are those of container/heap without an allocation each.
func (s *schedule) push(item scheduled) {
	s.heap = append(s.heap, item)
	heap.Fix(&s.heap, len(s.heap)-1)
}

func (s *schedule) pop() {
	last := len(s.heap) - 1
	s.heap.Swap(0, last)
	s.heap[last] = scheduled{}
	s.heap = s.heap[:last]
	if last > 0 {
		heap.Fix(&s.heap, 0)
	}
}

// compact drops what is of no use, once that is most of the heap. Live is how
// many entries there are.
func (s *schedule) compact(live int) {
	if len(s.heap) < 2*live+64 {
		return
	}
	kept := s.heap[:0]
	for _, item := range s.heap {
		if s.current(item) {
			kept = append(kept, item)
		}
	}
	clear(s.heap[len(kept):])
	s.heap = kept
	heap.Init(&s.heap)
}

// current tells whether the item is the one by which its entry is found.
func (s *schedule) current(item scheduled) bool {
	return !item.entry.deleted && s.when(item.entry).queued.Equal(item.at)
}

// first returns the entry whose time is the earliest, or nil. Its item is then
// the first of the heap.
func (s *schedule) first(until time.Time) *entry {
	for len(s.heap) > 0 {
		item := s.heap[0]
		switch slot := s.when(item.entry); {
		case item.at.After(until):
			return nil
		case !s.current(item):
			s.pop()
		case slot.due.IsZero():
			slot.queued = time.Time{}
			s.pop()
		case slot.due.After(item.at):
			slot.queued = slot.due
			s.heap[0].at = slot.due
			heap.Fix(&s.heap, 0)
		default:
			return item.entry
		}
	}
	return nil
}

// due returns up to limit entries whose time is not after now, the earliest
// first, and a time before which no other is due (zero: there is none).
func (s *schedule) due(now time.Time, limit int) (entries []*entry, next time.Time) {
	for len(entries) < limit {
		e := s.first(now)
		if e == nil {
			break
		}
		entries = append(entries, e)
		s.pop()
	}
	s.first(now) // so that the first item is not one that is due, but of no use
	if len(s.heap) > 0 {
		next = s.heap[0].at
	}
	for _, e := range entries {
		s.push(scheduled{s.when(e).queued, e})
	}
	return entries, next
}

type scheduled struct {
	at    time.Time
	entry *entry
}

// slots is a heap, the earliest first.
type slots []scheduled

func (s slots) Len() int           { return len(s) }
func (s slots) Less(i, j int) bool { return s[i].at.Before(s[j].at) }
func (s slots) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *slots) Push(x any)        { *s = append(*s, x.(scheduled)) }

// Pop is there for [heap.Interface]; see schedule.pop.
func (s *slots) Pop() any {
	last := len(*s) - 1
	item := (*s)[last]
	*s = (*s)[:last]
	return item
}
