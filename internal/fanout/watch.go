package fanout

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// patience is how long a worker may be at one batch before others take
	// over what it has not claimed; it is noticed within twice as long.
	patience = 4 * time.Millisecond
	// briskBatch is how long a batch of the full limit may take for the limit
	// to grow.
	briskBatch = time.Millisecond
)

// watch looks for slow workers of a topic. Its timer runs only while some
// worker has a batch that is not known to be slow.
type watch struct {
	topic *Topic
	armed atomic.Bool

	mu    sync.Mutex // after a group's mu, never before it
	timer *time.Timer
	over  bool
}

// arm makes the watch look, if it does not already. It is called when a
// worker has got a batch, with its group's mu held.
func (w *watch) arm() {
	if w.armed.Load() || !w.armed.CompareAndSwap(false, true) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over:
	case w.timer == nil:
		w.timer = time.AfterFunc(patience, w.look)
	default:
		w.timer.Reset(patience)
	}
}

// look finds the workers that are at the same batch as when it looked before.
func (w *watch) look() {
	w.armed.Store(false) // first: who gets a batch after we passed arms again
	again, shifted := false, false
	for _, g := range *w.topic.groups.Load() {
		busy, slow := g.inspect()
		again, shifted = again || busy, shifted || slow
	}
	if again {
		w.arm()
	}
	if shifted {
		w.topic.shifted()
	}
}

// inspect finds the group's slow workers, and tells whether there were some, and
// whether others are busy.
func (g *Group) inspect() (busy, slow bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.members {
		// A further worker starts where a slow one is found; the slice we
		// range over does not have it, and its batch arms the watch.
		for _, w := range m.workers {
			switch {
			case !w.busy || w.late || m.single:
			case w.round == w.seen:
				g.slow(w)
				slow = true
			default:
				w.seen = w.round
				busy = true
			}
		}
	}
	return busy, slow
}

func (w *watch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
