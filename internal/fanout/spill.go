package fanout

import (
	"slices"
	"time"
)

// spill is how a group gets past messages that have no room to queue behind
// one of their key that has failed: one by one they go to Overflow. All is
// guarded by the group's mu.
type spill struct {
	// waits says that one is under way, or was refused and is tried again
	// after a pause: meanwhile nothing is taken from the log.
	waits   bool
	seq     int64       // the latest
	refused int         // how often it was
	timer   *time.Timer // ends a pause
}

// blocked tells whether nothing can be taken from the log because of what
// queues. mu is held.
func (g *Group) blocked() bool {
	return g.spill.waits || g.lanes.full() && !g.overflows()
}

// overflows tells whether the next message of the log goes to Overflow. mu is
// held.
func (g *Group) overflows() bool {
	if g.pos >= g.topic.tail.Load() {
		return false
	}
	seg := g.seg
	if g.pos == seg.end() {
		if seg = seg.next.Load(); seg == nil {
			return true // who looks finds where the log goes on
		}
	}
	ln := g.lanes.byKey[seg.entries[g.pos-seg.first].Key()]
	return ln != nil && ln.attempt > 0 && len(ln.queue) >= g.topic.config.MaxParkedPerKey &&
		!slices.ContainsFunc(g.members, func(m *member) bool { return m.Overflow == nil })
}

// spillOne makes the next message of the log the worker's, to be given to
// Overflow. mu is held.
func (g *Group) spillOne(w *worker) {
	at := g.pos - g.seg.first
	g.low.Store(g.pos)
	w.run(g.seg, g.pos, g.seg.entries[at:at+1:at+1])
	w.does = overflow
	if g.spill.seq != g.pos {
		g.spill.seq, g.spill.refused = g.pos, 0
	}
	w.batch.Attempt = g.spill.refused + 1
	g.pos++
	g.out++
	g.lanes.stuck = nil // the next message may be of another key
	g.spill.waits = true
}

// spilled takes in what became of the worker's message: if it was refused, it
// is given back to the log until the pause is over. mu is held.
func (g *Group) spilled(w *worker, done int, pause time.Duration) {
	g.rewind(w, done)
	s := &g.spill
	if done > 0 {
		s.waits = false
		return
	}
	s.refused++
	if s.timer == nil {
		s.timer = time.AfterFunc(pause, g.resume)
	} else {
		s.timer.Reset(pause)
	}
}

// resume ends the pause after a refusal.
func (g *Group) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return
	}
	g.spill.waits = false
	g.attend()
}

func (s *spill) stop() {
	if s.timer != nil {
		s.timer.Stop()
	}
}
