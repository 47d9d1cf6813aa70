package notify

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// runner runs one observer: it is the Handle of the observer's consumption.
type runner struct {
	Observer
	bus   *bus
	base  context.Context // what handlers' contexts come from; canceled by stop
	stop  context.CancelFunc
	chain message.HandlerFunc // the handlers inside middleware; nil: there is none
	stats counters

	halted  <-chan struct{}    // closed by halt
	halt    context.CancelFunc // ends its consumption; guarded by bus.mu, nil before it began
	ended   chan struct{}      // closed when its consumption has ended
	leaving atomic.Bool        // it is being detached

	spare   atomic.Pointer[delivery]
	timed   atomic.Bool // events are timed one by one, since they are slow
	failing failingKeys
	pause   pause
}

func (r *runner) group() string { return observerGroup(r.Name) }

func observerGroup(name string) string { return pipelineGroup + "." + name }

func (r *runner) consumption() backend.Consumption {
	return backend.Consumption{
		Topic: eventsTopic, Group: r.group(), Concurrency: r.Concurrency, Handle: r.handle, Backoff: r.backoff,
		Overflow: r.overflow,
		Skipped:  func(from, to int64) { r.bus.skipped(r.Name, from, to) },
	}
}

// handle goes through a batch, with one recovery. Unless handlers are slow it
// reads the clock once at each end, and counts once.
func (r *runner) handle(_ context.Context, b *backend.Batch) (done int, err error) {
	t := round{
		runner: r, batch: b, delivery: r.delivery(), began: r.bus.now(),
		timed: r.timed.Load(), paused: r.pause.on(), failing: r.failing.any.Load(),
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
	batch    *backend.Batch
	delivery *delivery
	done     int
	began    time.Duration // of what is not counted yet
	clocked  bool          // when the next event begins is known
	matched  int           // events that are not counted yet
	timed    bool
	paused   bool
	failing  bool // some keys are failing; others that start to cannot be in this batch
	handled  bool // an event, which pause has not been told
	handling bool // a handler has got an event, and not returned
	over     bool
}

// run has the handlers handle event after event, until one fails.
func (t *round) run() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = t.panicked(p)
		}
	}()
	for t.batch.Next() {
		f, isLocal := t.batch.Message().Context().(*fact)
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
	t.matched++
	if err := t.call(d, f, first); err != nil {
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

// finish counts, and decides what becomes of the event that failed.
func (t *round) finish(err error) (int, error) {
	t.over = true
	now := t.bus.now()
	t.stats.inFlight.Add(-1)
	t.count(now, err != nil && t.handling)
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
	switch each := took / time.Duration(t.matched); {
	case !t.timed && each > slowEvent:
		t.runner.timed.Store(true)
	case t.timed && each < fastEvent && t.delivery.watched.Load() == nil:
		t.runner.timed.Store(false)
	}
	t.began, t.matched = now, 0
}

// match returns the index of the first handler, from one on, that the event is
// for, or how many handlers there are.
func (r *runner) match(f *fact, from int) int {
	for from < len(r.Handlers) && !r.Handlers[from].matches(f) {
		from++
	}
	return from
}

// call calls the handlers of an event, inside middleware if there is any.
func (r *runner) call(d *delivery, f *fact, first int) error {
	switch {
	case r.chain != nil:
	case len(r.Handlers) == 1:
		return r.callHandler(d, f, 0)
	default:
		return r.callHandlers(d, f, first)
	}
	// A message in its wire form and of its own, since middleware may change
	// or keep it.
	m, err := f.Wire()
	if err != nil {
		return &undecodable{err}
	}
	m.SetContext(d)
	_, err = r.chain(m)
	return err
}

// afterMiddleware is the handler that middleware is wrapped around.
func (r *runner) afterMiddleware(m *message.Message) ([]*message.Message, error) {
	f, err := r.bus.codec.decode(m)
	if err != nil {
		return nil, &undecodable{err}
	}
	if d, _ := causeOf(m.Context()); d != nil {
		d.again() // middleware may call it more than once
	}
	return nil, r.callHandlers(m.Context(), f, r.match(f, 0))
}

// callHandlers calls the handlers that the event is for; first is the index of
// the first one.
func (r *runner) callHandlers(ctx context.Context, f *fact, first int) error {
	for i := first; i < len(r.Handlers); i = r.match(f, i+1) {
		if err := r.callHandler(ctx, f, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) callHandler(ctx context.Context, f *fact, i int) error {
	before := digest(f)
	err := r.Handlers[i].call(ctx, f)
	if digest(f) != before {
		panic(&changedEvent{observer: r.Name, kind: f.Type})
	}
	return err
}

// succeeded notes that an event was handled, if one was.
func (t *round) succeeded() {
	if t.handled {
		t.handled = false
		t.pause.succeeded()
	}
}

// panicked says what was recovered, without the value.
func (r *runner) panicked(value any) error {
	err, ours := value.(*changedEvent)
	if ours {
		r.bus.log.Error("notify: an observer changed an event", "observer", r.Name, "event", err.kind)
		return &panicked{err}
	}
	cause := panicError(value)
	r.bus.log.Error("notify: an observer panicked", "observer", r.Name, "panic", cause, "stack", string(debug.Stack()))
	return &panicked{cause}
}

var errExited = errors.New("the handler ended its goroutine")
