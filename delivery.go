package notify

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// delivery is the context of an observer's handlers. It knows the event that is
// being handled, and ends with the observer's timeout.
//
// Most handlers never look at their context, so the machinery of one is made
// when somebody first does. Then the delivery is for this event only, and ends
// with its handlers; otherwise it serves event after event.
type delivery struct {
	runner  *runner
	parent  context.Context
	current atomic.Pointer[fact]
	watched atomic.Pointer[watched] // nil: nobody has looked

	began atomic.Int64 // when the current event did, by bus.now; 0: not known
	emits atomic.Bool  // emitted is not empty

	mu      sync.Mutex     // guards the following
	emitted map[string]int // by type on the wire, of the current event
}

type watched struct {
	context.Context
	cancel context.CancelFunc
}

type deliveryKey struct{}

// causeOf returns the delivery in whose handlers ctx was handed out, and the
// event that is being handled there; or nil.
func causeOf(ctx context.Context) (*delivery, *fact) {
	if d, ok := ctx.Value(deliveryKey{}).(*delivery); ok {
		return d, d.current.Load()
	}
	return nil, nil
}

// delivery returns a context for events to come.
func (r *runner) delivery() *delivery {
	if d := r.spare.Swap(nil); d != nil && d.watched.Load() == nil {
		return d
	}
	return &delivery{runner: r, parent: r.base}
}

// begin makes f the event that is being handled.
func (d *delivery) begin(f *fact) {
	d.current.Store(f)
	d.again()
}

// again says that the current event's handlers begin, perhaps once more.
func (d *delivery) again() {
	if d.emits.Load() {
		d.mu.Lock()
		d.emitted = nil
		d.emits.Store(false)
		d.mu.Unlock()
	}
}

// end says that the current event's handlers have returned. It tells whether
// the delivery can serve another event.
func (d *delivery) end() bool {
	d.current.Store(nil)
	w := d.watched.Load()
	if w != nil {
		w.cancel()
	}
	return w == nil
}

// afterwards is what there is to see when the handlers have returned.
var afterwards = func() *watched {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &watched{ctx, cancel}
}()

// look makes what a context needs to end.
func (d *delivery) look() *watched {
	if w := d.watched.Load(); w != nil {
		return w
	}
	if d.current.Load() == nil {
		return afterwards
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if w := d.watched.Load(); w != nil {
		return w
	}
	// From now on the observer's events are timed one by one.
	d.runner.timed.Store(true)
	w := &watched{}
	if d.runner.Timeout > 0 {
		left := d.runner.Timeout
		if began := d.began.Load(); began != 0 {
			left -= d.runner.bus.now() - time.Duration(began)
		}
		w.Context, w.cancel = context.WithTimeout(d.parent, left)
	} else {
		w.Context, w.cancel = context.WithCancel(d.parent)
	}
	d.watched.Store(w)
	return w
}

// Deadline implements [context.Context].
func (d *delivery) Deadline() (time.Time, bool) { return d.look().Deadline() }

// Done implements [context.Context].
func (d *delivery) Done() <-chan struct{} { return d.look().Done() }

// Err implements [context.Context].
func (d *delivery) Err() error { return d.look().Err() }

// Value implements [context.Context].
func (d *delivery) Value(key any) any {
	if _, ok := key.(deliveryKey); ok {
		return d
	}
	within := d.parent
	if w := d.watched.Load(); w != nil {
		within = w
	}
	if found := within.Value(key); found != nil {
		return found
	}
	return d.remote(key)
}

// remote looks into the trace context of the current event, if that has one.
func (d *delivery) remote(key any) any {
	if f := d.current.Load(); f != nil {
		return d.runner.bus.hooks.Load().remote(key, f.TraceParent, f.TraceState)
	}
	return nil
}

// emission counts the events of a type that were emitted for the current one.
func (d *delivery) emission(wireName string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.emitted == nil {
		d.emitted = map[string]int{}
		d.emits.Store(true)
	}
	d.emitted[wireName]++
	return d.emitted[wireName]
}

// timedOut tells whether the current event's handlers have taken too long.
func (d *delivery) timedOut(now time.Duration) bool {
	if d.runner.Timeout <= 0 {
		return false
	}
	if w := d.watched.Load(); w != nil && w.Err() == context.DeadlineExceeded {
		return true
	}
	began := d.began.Load()
	return began != 0 && now-time.Duration(began) >= d.runner.Timeout
}
