package memory

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// group is a consumer group's position in a topic, and what it has taken from
// the log and not finished.
//
// Messages are taken as runs of the log. The latest run is open: its keys are
// not noted anywhere, and what is given back of it moves the cursor back. Before
// another run is taken beside it, it is closed: from then on each of its keys
// has a lane, in which messages of that key queue until it is finished.
type group struct {
	topic *topic
	name  string // guarded by topic.mu

	// low is the oldest message that the cursor may move back to.
	low atomic.Int64

	mu      sync.Mutex
	gone    bool // forgotten, or the backend is closed
	members []*member
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
	turn  bool // whose turn it is: the lanes' or the log's
	turns int  // of members, to start workers

	catching []*catchUp
}

func newGroup(t *topic, name string, seg *segment, pos int64) *group {
	g := &group{topic: t, name: name, seg: seg, pos: pos, limit: segmentSize}
	g.low.Store(pos)
	g.lanes.group, g.lanes.byKey = g, make(map[string]*lane)
	return g
}

// next takes in how the worker's batch ended, if it had one, and gives it
// another, or says what else to do. From and to are what the group skipped.
func (g *group) next(w *worker, done int, failed bool, pause time.Duration) (next step, from, to int64) {
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
	switch m := w.member; {
	case g.take(w):
		next = handle
	case m.leaving || m.idle > 0:
		next = end
		w.unpin()
		m.workers = slices.DeleteFunc(m.workers, func(other *worker) bool { return other == w })
		g.topic.unlist(w)
		g.attend()
	default:
		next = wait
		w.unpin()
		w.idle = true
		m.idle++
		g.idle = append(g.idle, w)
		g.attend()
	}
	from, to = w.skipFrom, w.skipTo
	w.skipFrom, w.skipTo = 0, 0
	return next, from, to
}

// dismiss ends a membership. mu is held.
func (g *group) dismiss(m *member) {
	m.leaving = true
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
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
func (g *group) attend() {
	if g.gone || g.brisk > 0 || g.waking > 0 {
		return // that worker looks again, and attends when it has
	}
	if len(g.idle) == 0 {
		g.spawn()
		return
	}
	switch {
	case g.lanes.ready():
	case g.lanes.full():
		return // whoever shortens a queue looks again
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
func (g *group) rouse(w *worker) {
	w.idle = false
	w.member.idle--
	g.idle = slices.DeleteFunc(g.idle, func(other *worker) bool { return other == w })
}

// spawn starts a further worker in a member that may have one more, the members
// in turn. mu is held.
func (g *group) spawn() {
	for range g.members {
		g.turns++
		m := g.members[g.turns%len(g.members)]
		if len(m.workers) < m.Concurrency {
			m.start()
			return
		}
	}
}

// take gives the worker a batch, if there is one. mu is held.
func (g *group) take(w *worker) bool {
	if g.gone || w.member.leaving || g.brisk > 0 {
		return false
	}
	limit := min(g.limit, w.member.MaxBatch)
	// Lanes and log take turns, or a key that fails at once for ever would
	// keep the others from their turn.
	g.turn = !g.turn
	taken := g.turn && g.takeQueued(w, limit) || g.takeRun(w, limit) || !g.turn && g.takeQueued(w, limit)
	if !taken {
		return false
	}
	w.busy, w.late = true, false
	w.round++
	slow := g.limit < segmentSize
	if slow {
		w.began = time.Now()
	}
	if !w.member.outside {
		g.topic.watch.arm()
		w.brisk = !slow
	}
	if w.brisk {
		g.brisk++
	} else {
		g.attend()
	}
	return true
}

// takeRun takes messages from the log up to one whose key has a lane. mu is
// held.
func (g *group) takeRun(w *worker, limit int) bool {
	tail := g.topic.tail.Load()
	if g.pos >= tail || g.lanes.full() {
		return false
	}
	if g.open != nil {
		g.closeRun(g.open)
	}
	for g.pos < tail {
		if g.pos == g.seg.end() {
			g.advance(w)
			continue
		}
		from := int(g.pos - g.seg.first)
		to := min(from+limit, int(tail-g.seg.first), len(g.seg.messages))
		if len(g.lanes.byKey) > 0 {
			to = from + g.lanes.free(g.seg.messages[from:to])
		}
		if from == to {
			if !g.lanes.queue(held{g.pos, g.seg.messages[from]}) {
				break
			}
			g.pos++
			g.out++
			continue
		}
		g.low.Store(g.pos)
		w.run(g.seg, g.pos, g.seg.messages[from:to:to])
		g.pos += int64(to - from)
		g.out += int64(to - from)
		g.open = w
		return true
	}
	g.low.Store(g.pos)
	return false
}

// advance moves the cursor from the end of its segment to the next one, or to
// the oldest if the topic has dropped what follows. mu is held.
func (g *group) advance(w *worker) {
	if next := g.seg.next.Load(); next != nil {
		g.seg = next
		return
	}
	g.topic.mu.Lock()
	g.seg = g.topic.head
	g.topic.mu.Unlock()
	from := g.pos
	g.pos = g.seg.first
	if from < g.pos {
		w.skipFrom, w.skipTo = from, g.pos
		g.caught(from, g.pos-from)
	}
}

// takeQueued takes messages that queued in lanes. mu is held.
func (g *group) takeQueued(w *worker, limit int) bool {
	if !g.lanes.ready() {
		return false
	}
	attempt := g.lanes.take(w, limit)
	w.buffer = w.messages
	w.batch.Reset(attempt, w.messages)
	return true
}

// closeRun gives each key of the open run a lane. mu is held.
func (g *group) closeRun(w *worker) {
	for _, m := range w.messages {
		g.lanes.hold(m)
	}
	g.open = nil
}

// settle takes in how the worker's batch ended: its first done messages are
// finished, and the next one failed if failed is set. mu is held.
func (g *group) settle(w *worker, done int, failed bool, pause time.Duration) {
	w.busy = false
	g.detach(w)
	if g.gone {
		return
	}
	n := len(w.messages)
	done = min(max(done, 0), n)
	failed = failed && done < n
	if g.limit < segmentSize {
		g.adapt(w, done)
	}
	for i := range done {
		if len(g.catching) == 0 {
			break
		}
		g.caught(w.seq(i), 1)
	}
	g.out -= int64(done)
	if g.open != w {
		g.settleLanes(w, done, failed, pause)
		return
	}
	g.open = nil
	if failed {
		g.lanes.fail(held{w.seq(done), w.messages[done]}, 1, pause)
		done++
	}
	g.rewind(w, done)
}

// settleLanes is settle for a batch whose keys have lanes. mu is held.
func (g *group) settleLanes(w *worker, done int, failed bool, pause time.Duration) {
	// Backwards, so that what goes back to the front of a queue keeps its order.
	for i, m := range slices.Backward(w.messages) {
		switch {
		case i < done:
		case i == done && failed:
			g.lanes.fail(held{w.seq(i), m}, w.batch.Attempt, pause)
		default:
			g.lanes.giveBack(held{w.seq(i), m})
		}
		if i >= w.released {
			g.lanes.release(m, i < done && w.batch.Attempt > 1)
		}
	}
}

// rewind gives the messages of what was the open run from index i on back to
// the log. mu is held.
func (g *group) rewind(w *worker, i int) {
	if rest := len(w.messages) - i; rest > 0 {
		g.seg, g.pos = w.seg, w.seq(i)
		g.out -= int64(rest)
		w.messages = w.messages[:i]
	}
	g.low.Store(g.pos)
}

// reclaim takes back what the worker's handler has not claimed, and lets go of
// the keys that it is through with. mu is held.
func (g *group) reclaim(w *worker) (claimed int) {
	claimed = w.batch.Reclaim()
	through := max(claimed-1, 0)
	if g.open == w {
		g.open = nil
		g.rewind(w, claimed)
		for _, m := range w.messages[through:] {
			g.lanes.hold(m)
		}
		w.released = through
		return claimed
	}
	for i := len(w.messages) - 1; i >= claimed; i-- {
		g.lanes.giveBack(held{w.seq(i), w.messages[i]})
		g.lanes.release(w.messages[i], false)
	}
	w.messages = w.messages[:min(claimed, len(w.messages))]
	for ; w.released < through; w.released++ {
		g.lanes.release(w.messages[w.released], false)
	}
	return claimed
}

// slow is called when the worker has been at one batch for long: others take
// over what it has not claimed. mu is held.
func (g *group) slow(w *worker) {
	w.late = true
	g.detach(w)
	claimed := g.reclaim(w)
	g.limit = max(1, min(g.limit, claimed/4))
	g.attend()
}

// detach says that the worker is not expected to look again soon. mu is held.
func (g *group) detach(w *worker) {
	if w.brisk {
		w.brisk = false
		g.brisk--
	}
}

// adapt lets batches grow again when one took little time. mu is held.
func (g *group) adapt(w *worker, done int) {
	if w.late || done == 0 || w.member.outside {
		return
	}
	// What a batch of the full limit would have taken.
	if time.Since(w.began)*time.Duration(g.limit) < briskBatch*time.Duration(done) {
		g.limit = min(2*g.limit, segmentSize)
	}
}
