package sqlite

import (
	"runtime"
	"time"
)

// collect waits for something to write and takes all there is. It returns
// false when there will be no more.
func (w *writer) collect() (open bool) {
	var first *op
	var again <-chan time.Time
	if w.unsaved != nil && !w.idle() {
		pause := time.NewTimer(retry)
		defer pause.Stop()
		again = pause.C
	}
	select {
	case first, open = <-w.queue:
	case <-again:
		return true
	case <-w.nudge:
		pause := time.NewTimer(positionDelay)
		defer pause.Stop()
		select {
		case first, open = <-w.queue:
		case <-pause.C:
			return true
		}
	}
	if !open {
		return false
	}
	w.batch = append(w.batch, first)
	w.gather()
	for size := first.size; len(w.batch) < w.most && size < maxBytes; {
		select {
		case o, more := <-w.queue:
			if !more {
				return false
			}
			w.batch = append(w.batch, o)
			size += o.size
		default:
			return true
		}
	}
	return true
}

// gather gives those who were answered just now a moment to ask again, as long
// as they do, and no longer than the last commit took: one wait for the disk is
// then theirs together.
func (w *writer) gather() {
	began := time.Now()
	last, before := began, 0
	for n := len(w.queue); n+1 < min(w.callers, w.most); n = len(w.queue) {
		switch now := time.Now(); {
		case now.Sub(began) > w.commit: // another wait for the disk costs less
			return
		case n > before:
			last, before = now, n
		case now.Sub(last) > lull:
			return
		}
		runtime.Gosched()
	}
}
