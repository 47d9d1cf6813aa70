package notify

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// delivery is the context of the handlers of one batch at a time: it ends with
// the observer's timeout, and knows the event that is being handled. A runner
// uses it again until it has ended.
type delivery struct {
	context.Context
	cancel  context.CancelFunc
	runner  *runner
	timer   *time.Timer // nil: no timeout
	expired atomic.Bool
	current atomic.Pointer[fact]

	mu      sync.Mutex
	emitted map[string]int // by wire name, of the current event
}

type deliveryKey struct{}

// Value implements [context.Context].
func (d *delivery) Value(key any) any {
	if _, ok := key.(deliveryKey); ok {
		return d
	}
	return d.Context.Value(key)
}

// causeOf returns the delivery in whose handlers ctx was handed out, and the
// event that is being handled there; or nil.
func causeOf(ctx context.Context) (*delivery, *fact) {
	if d, ok := ctx.Value(deliveryKey{}).(*delivery); ok {
		return d, d.current.Load()
	}
	return nil, nil
}

// begin makes f the event that is being handled.
func (d *delivery) begin(f *fact) {
	d.current.Store(f)
	if d.emitted != nil {
		d.mu.Lock()
		d.emitted = nil
		d.mu.Unlock()
	}
}

// emission counts the events of a type that were emitted for the current one.
func (d *delivery) emission(wireName string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.emitted == nil {
		d.emitted = map[string]int{}
	}
	d.emitted[wireName]++
	return d.emitted[wireName]
}

// delivery returns a context for a batch, with its timeout running.
func (r *runner) delivery() *delivery {
	r.mu.Lock()
	var d *delivery
	if last := len(r.idle) - 1; last >= 0 {
		d, r.idle = r.idle[last], r.idle[:last]
	}
	r.mu.Unlock()
	if d == nil {
		d = &delivery{runner: r}
		d.Context, d.cancel = context.WithCancel(r.base)
		if r.Timeout > 0 {
			d.timer = time.AfterFunc(r.Timeout, d.expire)
			return d
		}
	}
	if d.timer != nil {
		d.timer.Reset(r.Timeout)
	}
	return d
}

func (d *delivery) expire() {
	d.expired.Store(true)
	d.cancel()
}

// release gives the context back, unless it has ended.
func (r *runner) release(d *delivery) {
	d.current.Store(nil)
	if d.timer != nil && !d.timer.Stop() || d.Err() != nil {
		d.cancel()
		return
	}
	r.mu.Lock()
	r.idle = append(r.idle, d)
	r.mu.Unlock()
}
