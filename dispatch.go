package notify

import (
	"context"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// handle goes through a batch, with one recovery. Unless handlers are slow it
// reads the clock once at each end, and counts once.
func (r *runner) handle(_ context.Context, b *backend.Batch) (done int, err error) {
	return r.handleUntil(r.halted, b)
}

// handleUntil is handle, which waits for the end of a pause until it is halted.
func (r *runner) handleUntil(halted <-chan struct{}, b *backend.Batch) (done int, err error) {
	t := round{
		runner: r, halted: halted, batch: b, delivery: r.delivery(), began: r.bus.now(),
		timed: r.timed.Load(), paused: r.pause.on(), failing: r.failing.any.Load(), hooks: r.bus.hooks.Load(),
	}
	t.clock(t.began)
	r.stats.inFlight.Add(1)
	defer func() {
		if !t.over { // the handler has ended its goroutine, as t.FailNow does
			b.Exit(t.finish(&panicked{errExited}))
		}
	}()
	err = t.run()
	return t.finish(err)
}

// round is one call of handle.
type round struct {
	*runner
	halted   <-chan struct{}
	batch    *backend.Batch
	delivery *delivery
	done     int
	began    time.Duration // of what is not counted yet
	clocked  bool          // when the next event begins is known
	matched  int           // events that are not counted yet
	types    types         // of them
	timed    bool
	paused   bool
	failing  bool // some keys are failing; others that start to cannot be in this batch
	handled  bool // an event, which pause has not been told
	handling bool // a handler has got an event, and not returned
	over     bool
	hooks    *Hooks
}

// run has the handlers handle event after event, until one fails.
func (t *round) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = t.panicked(p)
		}
	}()
	for t.batch.Next() {
		f, isLocal := t.batch.Entry().(*fact)
		if !isLocal {
			if f, err = t.bus.codec.decode(t.batch.Message()); err != nil {
				return &undecodable{err}
			}
		}
		if first := t.match(f, 0); first < len(t.Handlers) {
			if t.paused && !t.wait() {
				return nil // what is not done comes again
			}
			if err := t.one(f, first); err != nil {
				return err
			}
		}
		t.done++
	}
	return nil
}

// wait waits for the end of the observer's pause, or for its turn to try.
func (t *round) wait() bool {
	t.count(t.bus.now(), false)
	t.stats.inFlight.Add(-1)
	defer t.stats.inFlight.Add(1)
	ok := t.pause.wait(t.halted)
	t.began = t.bus.now()
	t.clock(t.began)
	return ok
}

// clock says when the next event begins; 0: it is not known.
func (t *round) clock(at time.Duration) {
	t.clocked = at != 0
	t.delivery.began.Store(int64(at))
}

// one has the handlers handle one event, from the first that it is for on.
func (t *round) one(f *fact, first int) error {
	d := t.delivery
	d.begin(f)
	t.handling = true
	if !t.types.add(f.kind) {
		now := t.bus.now()
		t.count(now, false)
		t.clock(now)
		t.types.add(f.kind)
	}
	t.matched++
	if t.hooks.traces() && sampled(f.TraceParent) {
		if err := t.spanned(d, f, first); err != nil {
			return err
		}
	} else if err := t.call(d, f, first); err != nil {
		return err
	}
	t.handling, t.handled = false, true
	if t.paused {
		t.succeeded()
	}
	if t.failing {
		t.runner.failing.remove(f.key())
	}
	if d.watched.Load() != nil {
		d.end()
		t.delivery = t.runner.delivery()
		t.clocked = true // whatever it was before
	}
	if t.timed {
		now := t.bus.now()
		t.count(now, false)
		t.clock(now)
	} else if t.clocked {
		t.clock(0)
	}
	return nil
}

// spanned is call with a span around it.
func (t *round) spanned(d *delivery, f *fact, first int) (err error) {
	span := t.hooks.Begin(d, Span{
		Operation: OperationHandle, Topic: eventsTopic, Group: t.group(), Observer: t.Name,
		NotificationID: f.NotificationID, EventID: f.ID, EventType: f.Type,
		TraceParent: f.TraceParent, TraceState: f.TraceState,
	})
	failure := string(ObserverPanicked)
	defer func() { span.end(failure) }()
	err = t.call(span.within(d), f, first)
	failure = ""
	if err != nil {
		failure = string(classify(err, d.timedOut(t.bus.now())))
	}
	return err
}

// finish counts, and decides what becomes of the event that failed.
func (t *round) finish(err error) (int, error) {
	t.over = true
	now := t.bus.now()
	t.count(now, err != nil && t.handling)
	t.stats.inFlight.Add(-1)
	late := err != nil && t.delivery.timedOut(now)
	t.succeeded()
	if t.delivery.end() {
		t.spare.Store(t.delivery)
	}
	if err != nil {
		t.done, err = t.failed(t.batch.Message(), t.batch.Attempt, t.done, err, late)
	}
	return t.done, err
}

const (
	slowEvent = 20 * time.Microsecond
	fastEvent = 2 * time.Microsecond
)

// count counts what began since the last time, and finds out whether events
// are slow enough to be timed one by one.
func (t *round) count(now time.Duration, lastFailed bool) {
	if t.matched == 0 {
		return
	}
	took := now - t.began
	t.stats.handled(t.matched, took, lastFailed)
	t.kinds.handled(t.bus.codec, &t.types, t.matched, took)
	switch each := took / time.Duration(t.matched); {
	case !t.timed && each > slowEvent:
		t.runner.timed.Store(true)
	case t.timed && each < fastEvent && t.delivery.watched.Load() == nil:
		t.runner.timed.Store(false)
	}
	t.began, t.matched = now, 0
}

// succeeded notes that an event was handled, if one was.
func (t *round) succeeded() {
	if t.handled {
		t.handled = false
		t.pause.succeeded()
	}
}
