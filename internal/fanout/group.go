package fanout

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Group is a consumer group's position in a topic, and what it has taken from
// the log and not finished.
//
// Messages are taken as runs of the log. The latest run is open: its keys are
// not noted anywhere, and what is given back of it moves the cursor back. Before
// another run is taken beside it, it is closed: from then on each of its keys
// has a lane, in which messages of that key queue until it is finished.
type Group struct {
	topic *Topic
	name  string // guarded by topic.mu

	// low is the oldest message that the cursor may move back to.
	low atomic.Int64

	mu      sync.Mutex
	gone    bool // forgotten, or the backend is closed
	members []*member
	leaving []*member // whose handlers still run
	idle    []*worker // waiting for a token, in the order they came
	waking  int       // workers on their way to look for messages
	brisk   int       // busy workers that are expected to look again soon

	seg  *segment // where the cursor is
	pos  int64    // the cursor: everything before it was taken
	out  int64    // taken and not finished
	open *worker  // has the latest run, whose keys have no lanes
	// limit is how long a batch may be. It falls when handlers are slow, so
	// that workers share, and grows again to segmentSize.
	limit int

	lanes lanes
	spill spill
	turn  bool // whose turn it is: the lanes' or the log's
	turns int  // of members, to start workers

	catching []*catchUp
}

func newGroup(t *Topic, name string, seg *segment, pos int64) *Group {
	g := &Group{topic: t, name: name, seg: seg, pos: pos, limit: segmentSize}
	g.low.Store(pos)
	g.lanes.group, g.lanes.byKey = g, make(map[string]*lane)
	return g
}

// next takes in how the worker's batch ended, if it had one, and gives it
// another, or says what else to do.
func (g *Group) next(w *worker, done int, failed bool, pause time.Duration) step {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.waking {
		w.waking = false
		g.waking--
	}
	if w.idle {
		g.rouse(w)
	}
	if w.busy {
		g.settle(w, done, failed, pause)
	}
	if g.take(w) {
		return w.does
	}
	w.unpin()
	m := w.member
	if m.leaving || m.idle > 0 {
		m.workers = slices.DeleteFunc(m.workers, func(other *worker) bool { return other == w })
		if len(m.workers) == 0 {
			g.leaving = slices.DeleteFunc(g.leaving, func(other *member) bool { return other == m })
		}
		g.topic.unlist(w)
		g.attend()
		return end
	}
	w.idle = true
	m.idle++
	g.idle = append(g.idle, w)
	g.attend()
	return wait
}

// dismiss ends a membership. mu is held.
func (g *Group) dismiss(m *member) {
	m.leaving = true
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
	g.leaving = append(g.leaving, m)
	for _, w := range m.workers {
		if w.idle {
			g.rouse(w)
		}
		if w.busy && !w.late {
			g.reclaim(w)
			g.detach(w)
		}
		w.wake()
	}
}

// attend sees to it that somebody looks at what can be taken now and at what
// is appended next. mu is held.
func (g *Group) attend() {
	if g.gone || g.brisk > 0 || g.waking > 0 {
		return // that worker looks again, and attends when it has
	}
	if len(g.idle) == 0 {
		g.spawn()
		return
	}
	switch {
	case g.lanes.ready():
	case g.blocked():
		return // whoever shortens a queue or ends a spill looks again
	case g.pos < g.topic.tail.Load():
	case g.topic.await(g.idle[0], g.pos):
		return
	}
	w := g.idle[0]
	g.rouse(w)
	g.waking++
	w.waking = true
	w.wake()
}

// rouse ends a worker's idleness. mu is held.
func (g *Group) rouse(w *worker) {
	w.idle = false
	w.member.idle--
	g.idle = slices.DeleteFunc(g.idle, func(other *worker) bool { return other == w })
}

// spawn starts a further worker in a member that may have one more, the members
// in turn. mu is held.
func (g *Group) spawn() {
	for range g.members {
		g.turns++
		m := g.members[g.turns%len(g.members)]
		if len(m.workers) < m.Concurrency {
			m.start()
			return
		}
	}
}
