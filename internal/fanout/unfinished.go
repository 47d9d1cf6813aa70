package fanout

import (
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Waiting is a message that failed, or that queues behind one of its key that
// did.
type Waiting struct {
	Stamp   int64
	Attempt int       // deliveries that failed; 0 for one that queues
	Due     time.Time // when it is delivered again, if that is known
}

// Unfinished is what a group has not finished.
type Unfinished struct {
	// Open is the stamp of the first message that is neither finished nor
	// waiting. If there is none, Clear is set, and Open is the last stamp.
	Open  int64
	Clear bool
	// Waiting is in no particular order. A message that was told to wait once
	// is told until it is finished.
	Waiting []Waiting
}

// Unfinished looks at all that was appended. The topic must not have dropped
// anything that the group has not finished.
func (g *Group) Unfinished() Unfinished {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return Unfinished{Clear: true}
	}
	first, u := g.untaken()
	open := func(p place) {
		if u.Clear || p.seq < first {
			first, u.Open, u.Clear = p.seq, p.stamp, false
		}
	}
	for _, ln := range g.lanes.byKey {
		for i := range ln.queue {
			h := &ln.queue[i]
			h.waits = h.waits || ln.attempt > 0
			switch {
			case !h.waits:
				open(h.place)
			case i == 0 && ln.inFlight == 0:
				u.Waiting = append(u.Waiting, Waiting{h.stamp, ln.attempt, ln.due})
			default:
				u.Waiting = append(u.Waiting, Waiting{Stamp: h.stamp})
			}
		}
	}
	for _, members := range [][]*member{g.members, g.leaving} {
		for _, m := range members {
			for _, w := range m.workers {
				if w.busy {
					u.Waiting = w.unfinished(open, u.Waiting)
				}
			}
		}
	}
	return u
}

// untaken begins an Unfinished with what no worker has taken.
func (g *Group) untaken() (first int64, u Unfinished) {
	t := g.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.pos == t.tail.Load() {
		return g.pos, Unfinished{Open: t.newest, Clear: true}
	}
	seg := g.seg
	if g.pos == seg.end() {
		if seg = seg.next.Load(); seg == nil {
			seg = t.head // the topic has dropped the segment that the group is through with
		}
	}
	return g.pos, Unfinished{Open: seg.held(g.pos).stamp}
}

// unfinished tells the worker's batch, the failed message of which waits.
func (w *worker) unfinished(open func(place), waiting []Waiting) []Waiting {
	again := w.does == handle && w.batch.Attempt > 1
	for i := range w.entries {
		h := w.held(i)
		switch {
		case again:
			waiting = append(waiting, Waiting{Stamp: h.stamp, Attempt: w.batch.Attempt - 1})
		case h.waits:
			waiting = append(waiting, Waiting{Stamp: h.stamp})
		default:
			open(h.place)
		}
	}
	return waiting
}

// Restore makes messages wait again that did in an earlier life of the group,
// in log order. It is called before the group has members.
func (g *Group) Restore(waiting []Waiting, entries []backend.Entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for i, what := range waiting {
		ln := g.lanes.get(entries[i].Key())
		if len(ln.queue) == 0 && what.Attempt > 0 {
			ln.attempt, ln.pause = what.Attempt, what.Due.Sub(now)
		}
		ln.queue = append(ln.queue, held{place{-1, what.Stamp, true}, entries[i]})
		g.lanes.size++
		g.out++
	}
	for _, ln := range g.lanes.byKey {
		g.lanes.settle(ln)
	}
}

// Ahead is how many messages are neither finished nor queue behind others of
// their key.
func (g *Group) Ahead() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return 0
	}
	return g.topic.tail.Load() - g.pos + g.out - int64(g.lanes.size)
}
