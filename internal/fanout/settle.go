package fanout

import (
	"slices"
	"time"
)

// settle takes in how the worker's batch ended: its first done messages are
// finished, and the next one failed if failed is set. mu is held.
func (g *Group) settle(w *worker, done int, failed bool, pause time.Duration) {
	w.busy = false
	g.detach(w)
	if g.gone {
		return
	}
	n := len(w.entries)
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
	if w.does == overflow {
		g.spilled(w, done, pause)
		return
	}
	if g.open != w {
		g.settleLanes(w, done, failed, pause)
		return
	}
	g.open = nil
	if failed {
		g.lanes.fail(w.held(done), 1, pause)
		done++
	}
	g.rewind(w, done)
}

// settleLanes is settle for a batch whose keys have lanes. mu is held.
func (g *Group) settleLanes(w *worker, done int, failed bool, pause time.Duration) {
	// Backwards, so that what goes back to the front of a queue keeps its order.
	for i, m := range slices.Backward(w.entries) {
		switch {
		case i < done:
		case i == done && failed:
			g.lanes.fail(w.held(i), w.batch.Attempt, pause)
		default:
			g.lanes.giveBack(w.held(i))
		}
		if i >= w.released {
			g.lanes.release(m, i < done && w.batch.Attempt > 1)
		}
	}
}

// rewind gives the messages of what was the open run from index i on back to
// the log. mu is held.
func (g *Group) rewind(w *worker, i int) {
	if rest := len(w.entries) - i; rest > 0 {
		g.seg, g.pos = w.seg, w.seq(i)
		g.out -= int64(rest)
		w.entries = w.entries[:i]
	}
	g.low.Store(g.pos)
}

// reclaim takes back what the worker's handler has not claimed, and lets go of
// the keys that it is through with. mu is held.
func (g *Group) reclaim(w *worker) (claimed int) {
	claimed = w.batch.Reclaim()
	if g.gone {
		return claimed // to nobody
	}
	through := max(claimed-1, 0)
	if g.open == w {
		g.open = nil
		g.rewind(w, claimed)
		for _, m := range w.entries[through:] {
			g.lanes.hold(m)
		}
		w.released = through
		return claimed
	}
	for i := len(w.entries) - 1; i >= claimed; i-- {
		g.lanes.giveBack(w.held(i))
		g.lanes.release(w.entries[i], false)
	}
	w.entries = w.entries[:min(claimed, len(w.entries))]
	for ; w.released < through; w.released++ {
		g.lanes.release(w.entries[w.released], false)
	}
	return claimed
}

// slow is called when the worker has been at one batch for long: others take
// over what it has not claimed. mu is held.
func (g *Group) slow(w *worker) {
	w.late = true
	g.detach(w)
	claimed := g.reclaim(w)
	g.limit = max(1, min(g.limit, claimed/4))
	g.attend()
}

// detach says that the worker is not expected to look again soon. mu is held.
func (g *Group) detach(w *worker) {
	if w.brisk {
		w.brisk = false
		g.brisk--
	}
}

// adapt lets batches grow again when one took little time. mu is held.
func (g *Group) adapt(w *worker, done int) {
	if w.late || done == 0 || w.began.IsZero() || w.member.single {
		return
	}
	// What a batch of the full limit would have taken.
	if time.Since(w.began)*time.Duration(g.limit) < briskBatch*time.Duration(done) {
		g.limit = min(2*g.limit, segmentSize)
	}
}
