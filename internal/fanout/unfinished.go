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
	// Waiting are those before Open, in no particular order. A message that was
	// told to wait once is told until it is finished.
	Waiting []Waiting
}

// survey makes an Unfinished.
type survey struct {
	Unfinished
	first   int64 // sequence number of Open
	waiting []waiting
}

type waiting struct {
	Waiting
	*place
}

// Unfinished looks at all that was appended. The topic must not have dropped
// anything that the group has not finished.
func (g *Group) Unfinished() Unfinished {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return Unfinished{Clear: true}
	}
	s := g.untaken()
	for _, ln := range g.lanes.byKey {
		for i := range ln.queue {
			p := &ln.queue[i].place
			switch {
			case !p.waits && ln.attempt == 0:
				s.open(*p)
			case i == 0 && ln.inFlight == 0:
				s.waiting = append(s.waiting, waiting{Waiting{p.stamp, ln.attempt, ln.due}, p})
			default:
				s.waiting = append(s.waiting, waiting{Waiting{Stamp: p.stamp}, p})
			}
		}
	}
	for w := range g.busy {
		s.batch(w)
	}
	// What is open comes again after a restart, and what is behind it too: in
	// order, and once, only if nothing of that waits besides.
	for _, one := range s.waiting {
		if one.seq < s.first {
			one.waits = true
			s.Waiting = append(s.Waiting, one.Waiting)
		}
	}
	return s.Unfinished
}

// busy yields the workers that have a batch. mu is held.
func (g *Group) busy(yield func(*worker) bool) {
	for _, members := range [][]*member{g.members, g.leaving} {
		for _, m := range members {
			for _, w := range m.workers {
				if w.busy && !yield(w) {
					return
				}
			}
		}
	}
}

func (s *survey) open(p place) {
	if s.Clear || p.seq < s.first {
		s.first, s.Open, s.Clear = p.seq, p.stamp, false
	}
}

// batch looks at the worker's batch, the failed message of which waits.
func (s *survey) batch(w *worker) {
	failed := 0
	if w.does == handle {
		failed = w.batch.Attempt - 1
	}
	for i := range w.entries {
		p := w.held(i).place
		if failed == 0 && !p.waits {
			s.open(p)
			continue
		}
		told := p // what is given back waits by its lane's attempt, or was told before
		s.waiting = append(s.waiting, waiting{Waiting{Stamp: p.stamp, Attempt: failed}, &told})
	}
}

// untaken begins a survey with what no worker has taken.
func (g *Group) untaken() *survey {
	t := g.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.pos == t.tail.Load() {
		return &survey{first: g.pos, Unfinished: Unfinished{Open: t.newest, Clear: true}}
	}
	seg := g.seg
	if g.pos == seg.end() {
		if seg = seg.next.Load(); seg == nil {
			seg = t.head // the topic has dropped the segment that the group is through with
		}
	}
	return &survey{first: g.pos, Unfinished: Unfinished{Open: seg.held(g.pos).stamp}}
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
// their key. Those that a slow worker is through with count as finished.
func (g *Group) Ahead() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return 0
	}
	ahead := g.topic.tail.Load() - g.pos + g.out - int64(g.lanes.size)
	for w := range g.busy {
		ahead -= int64(w.released)
	}
	return ahead
}
