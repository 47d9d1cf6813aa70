package fanout

import "time"

// take gives the worker a batch, if there is one. mu is held.
func (g *Group) take(w *worker) bool {
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
	if w.does == overflow {
		// As good as slow: what it waits for is not ours.
		w.late = true
		g.attend()
		return true
	}
	slow := g.limit < segmentSize
	w.began = time.Time{}
	if slow {
		w.began = time.Now()
	}
	if !w.member.single {
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
func (g *Group) takeRun(w *worker, limit int) bool {
	tail := g.topic.tail.Load()
	if g.pos >= tail || g.blocked() {
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
		to := min(from+limit, int(tail-g.seg.first), len(g.seg.entries))
		if len(g.lanes.byKey) > 0 {
			to = from + g.lanes.free(g.seg.entries[from:to])
		}
		if from == to {
			if !g.lanes.queue(g.seg.held(g.pos)) {
				if g.overflows() {
					g.spillOne(w)
					return true
				}
				break
			}
			g.pos++
			g.out++
			continue
		}
		g.low.Store(g.pos)
		w.run(g.seg, g.pos, g.seg.entries[from:to:to])
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
func (g *Group) advance(w *worker) {
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
		w.skips = append(w.skips, skip{from, g.pos})
		g.caught(from, g.pos-from)
	}
}

// takeQueued takes messages that queued in lanes. mu is held.
func (g *Group) takeQueued(w *worker, limit int) bool {
	if !g.lanes.ready() {
		return false
	}
	attempt := g.lanes.take(w, limit)
	w.buffer = w.entries
	w.batch.Reset(attempt, w.entries)
	return true
}

// closeRun gives each key of the open run a lane. mu is held.
func (g *Group) closeRun(w *worker) {
	for _, m := range w.entries {
		g.lanes.hold(m)
	}
	g.open = nil
}
