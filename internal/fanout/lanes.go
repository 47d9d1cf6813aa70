package fanout

import (
	"container/heap"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// place says where in the log a message is.
type place struct {
	seq   int64 // -1: it is not in this log, but was in one before
	stamp int64
	// waits says that a position that was told counts on it as waiting.
	waits bool
}

// held is a message that was taken from the log.
type held struct {
	place
	entry backend.Entry
}

// lane is a key some message of which is in flight, has failed or waits.
type lane struct {
	key      string
	queue    []held
	inFlight int
	// attempt counts the failed deliveries of the queue's first message.
	attempt int
	pause   time.Duration // what fail asked for, until the lane is parked
	due     time.Time     // when a parked lane is ready
	state   laneState
	next    *lane // in the list of ready lanes
}

type laneState uint8

const (
	laneHeld   laneState = iota // in flight: whoever finishes settles it
	laneReady                   // in the list of ready lanes
	laneParked                  // in the heap of parked lanes
)

// lanes are the keys of a group that need a lane. All is guarded by the
// group's mu.
type lanes struct {
	group       *Group
	byKey       map[string]*lane
	size        int   // messages in all queues
	stuck       *lane // whose queue is full, while a message of its key is next in the log
	first, last *lane // the ready ones
	parked      parkedLanes
	timer       *time.Timer // for the first of parked
}

// free tells how many of the messages, from the first, have no lane.
func (l *lanes) free(entries []backend.Entry) int {
	for i, m := range entries {
		if _, ok := l.byKey[m.Key()]; ok {
			return i
		}
	}
	return len(entries)
}

func (l *lanes) get(key string) *lane {
	ln := l.byKey[key]
	if ln == nil {
		ln = &lane{key: key}
		l.byKey[key] = ln
	}
	return ln
}

// hold notes that a message is in flight.
func (l *lanes) hold(m backend.Entry) {
	l.get(m.Key()).inFlight++
}

// release undoes hold. Settled says that the message that had failed before is
// finished.
func (l *lanes) release(m backend.Entry, settled bool) {
	ln := l.byKey[m.Key()]
	if settled {
		ln.attempt = 0
	}
	ln.inFlight--
	l.settle(ln)
}

// settle moves a lane without messages in flight to where it belongs.
func (l *lanes) settle(ln *lane) {
	switch {
	case ln.inFlight > 0 || ln.state != laneHeld:
	case len(ln.queue) == 0:
		delete(l.byKey, ln.key)
	case ln.pause > 0:
		ln.state = laneParked
		ln.due = time.Now().Add(ln.pause)
		ln.pause = 0
		heap.Push(&l.parked, ln)
		if l.parked[0] == ln {
			l.arm()
		}
	default:
		l.makeReady(ln)
	}
}

func (l *lanes) makeReady(ln *lane) {
	ln.state = laneReady
	if l.last == nil {
		l.first = ln
	} else {
		l.last.next = ln
	}
	l.last = ln
}

// ready tells whether messages of some lane can be taken.
func (l *lanes) ready() bool { return l.first != nil }

// full tells whether nothing can be taken from the log because of what queues.
func (l *lanes) full() bool {
	return l.stuck != nil || l.size >= l.group.topic.config.MaxParked
}

// queue puts a message whose key has a lane behind the others of its key. It
// returns false when there is no room.
func (l *lanes) queue(h held) bool {
	ln := l.byKey[h.entry.Key()]
	if len(ln.queue) >= l.group.topic.config.MaxParkedPerKey {
		l.stuck = ln
	}
	if l.full() {
		return false
	}
	ln.queue = append(ln.queue, h)
	l.size++
	return true
}

// giveBack puts a message before the others of its key.
func (l *lanes) giveBack(h held) *lane {
	ln := l.get(h.entry.Key())
	ln.queue = append(ln.queue, held{})
	copy(ln.queue[1:], ln.queue)
	ln.queue[0] = h
	l.size++
	l.settle(ln)
	return ln
}

// fail gives a message back that failed for the attempt-th time, and is to be
// delivered again after the pause.
func (l *lanes) fail(h held, attempt int, pause time.Duration) {
	ln := l.get(h.entry.Key())
	ln.attempt, ln.pause = attempt, pause
	l.giveBack(h)
}

// take makes the worker's next batch of ready lanes, and returns its attempt. A
// message that has failed before comes alone.
func (l *lanes) take(w *worker, limit int) (attempt int) {
	w.queued()
	for l.first != nil && len(w.entries) < limit {
		ln := l.first
		if ln.attempt > 0 && len(w.entries) > 0 {
			break
		}
		l.first, ln.next = ln.next, nil
		if l.first == nil {
			l.last = nil
		}
		ln.state = laneHeld
		n := min(limit-len(w.entries), len(ln.queue))
		if ln.attempt > 0 {
			n = 1
		}
		for _, h := range ln.queue[:n] {
			w.entries = append(w.entries, h.entry)
			w.places = append(w.places, h.place)
		}
		clear(ln.queue[:n])
		ln.queue = ln.queue[n:]
		ln.inFlight += n
		l.size -= n
		if l.stuck == ln {
			l.stuck = nil
		}
		if ln.attempt > 0 {
			return ln.attempt + 1
		}
	}
	return 1
}

// arm sets the timer for the first parked lane.
func (l *lanes) arm() {
	if len(l.parked) == 0 {
		return
	}
	wait := time.Until(l.parked[0].due)
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.wake)
	} else {
		l.timer.Reset(wait)
	}
}

// wake makes the parked lanes ready whose time has come.
func (l *lanes) wake() {
	g := l.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return
	}
	now := time.Now()
	for len(l.parked) > 0 && !l.parked[0].due.After(now) {
		l.makeReady(heap.Pop(&l.parked).(*lane))
	}
	l.arm()
	g.attend()
}

// drop forgets everything.
func (l *lanes) drop() {
	if l.timer != nil {
		l.timer.Stop()
	}
	clear(l.byKey)
	l.first, l.last, l.stuck, l.parked, l.size = nil, nil, nil, nil, 0
}

// parkedLanes is a heap, the earliest due first.
type parkedLanes []*lane

func (p parkedLanes) Len() int           { return len(p) }
func (p parkedLanes) Less(i, j int) bool { return p[i].due.Before(p[j].due) }
func (p parkedLanes) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *parkedLanes) Push(x any)        { *p = append(*p, x.(*lane)) }

func (p *parkedLanes) Pop() any {
	last := len(*p) - 1
	ln := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	return ln
}
