package fanout

import (
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// worker is a goroutine that handles batches for a member.
type worker struct {
	member *member
	group  *Group
	token  chan struct{} // a worker that found nothing waits for it
	batch  backend.Batch
	listed bool // in topic.listed; guarded by the topic's mu

	// The rest is guarded by the group's mu.

	waking, idle, busy bool
	does               step // with its batch: handle or overflow
	brisk              bool // counted in group.brisk
	late               bool // has been at this batch for long
	round, seen        uint // batches so far; the one that the watch saw last
	began              time.Time

	// The batch: a run of seg from the sequence number first on, or messages
	// that queued, with theirs in places.
	entries []backend.Entry
	seg     *segment
	first   int64
	places  []place
	buffer  []backend.Entry
	// released is how many messages, from the first, hold no lane any more.
	released int

	skips []skip // to be told, by the worker itself
}

// skip says that a group was moved over the messages from <= n < to.
type skip struct{ from, to int64 }

// What a worker does next.
type step int

const (
	handle step = iota
	overflow
	wait
	end
)

func (w *worker) work() { w.goOn(0, nil) }

// goOn works, after a batch that ended so. If a handler ends the goroutine, as
// t.FailNow does, another one goes on.
func (w *worker) goOn(done int, err error) {
	m := w.member
	ended := false
	defer func() {
		if !ended {
			m.ended.Go(func() { w.goOn(w.batch.Exited()) })
		}
	}()
	for {
		var pause time.Duration
		if err != nil {
			pause = m.Backoff(w.batch.Attempt, err)
		}
		next := w.group.next(w, done, err != nil, pause)
		for _, s := range w.skips {
			if m.Skipped != nil {
				m.Skipped(s.from, s.to)
			}
		}
		w.skips = w.skips[:0]
		w.group.topic.passed()
		done, err = 0, nil
		switch next {
		case end:
			ended = true
			return
		case wait:
			<-w.token
		case handle:
			done, err = m.Handle(m.ctx, &w.batch)
		case overflow:
			if err = m.Overflow(backend.MessageOf(w.entries[0])); err == nil {
				done = 1
			}
		}
	}
}

// wake makes the worker look for messages, now or when it would wait next.
func (w *worker) wake() {
	select {
	case w.token <- struct{}{}:
	default:
	}
}

// run makes a run of the log the worker's batch.
func (w *worker) run(seg *segment, first int64, entries []backend.Entry) {
	w.seg, w.first, w.entries, w.places = seg, first, entries, w.places[:0]
	w.released, w.does = 0, handle
	w.batch.Reset(1, entries)
}

// queued empties the worker's batch for messages that queued.
func (w *worker) queued() {
	w.seg, w.entries, w.places = nil, w.buffer[:0], w.places[:0]
	w.released, w.does = 0, handle
}

// seq is the sequence number of the batch's i-th message.
func (w *worker) seq(i int) int64 {
	if w.seg != nil {
		return w.first + int64(i)
	}
	return w.places[i].seq
}

// held is the batch's i-th message.
func (w *worker) held(i int) held {
	if w.seg == nil {
		return held{w.places[i], w.entries[i]}
	}
	seq := w.first + int64(i)
	return w.seg.held(seq)
}

// unpin lets go of the last batch.
func (w *worker) unpin() {
	clear(w.buffer[:cap(w.buffer)])
	w.seg, w.entries = nil, nil
	w.batch.Reset(1, nil)
}
