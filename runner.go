package notify

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

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
	*tallies

	halted  <-chan struct{}    // closed by halt
	halt    context.CancelFunc // ends its consumption; guarded by bus.mu, nil before it began
	ended   chan struct{}      // closed when its consumption has ended
	leaving atomic.Bool        // it is being detached

	replaying chan struct{} // holds one while there is a replay, or it has ended

	spare   atomic.Pointer[delivery]
	timed   atomic.Bool // events are timed one by one, since they are slow
	failing failingKeys
	pause   pause
}

func (b *bus) newRunner(o Observer) *runner {
	r := &runner{Observer: o, bus: b, ended: make(chan struct{}), replaying: make(chan struct{}, 1)}
	r.base, r.stop = context.WithCancel(b.base)
	r.chain = r.wrapped(b.middleware)
	return r
}

// wrapped is the handler inside the middleware, or nil if there is none.
func (r *runner) wrapped(all []message.HandlerMiddleware) message.HandlerFunc {
	if len(all)+len(r.Middleware) == 0 {
		return nil
	}
	chain := message.HandlerFunc(r.afterMiddleware)
	for _, wrap := range slices.Backward(slices.Concat(all, r.Middleware)) {
		chain = wrap(chain)
	}
	return chain
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

// match returns the index of the first handler, from one on, that the event is
// for, or how many handlers there are.
func (r *runner) match(f *fact, from int) int {
	for from < len(r.Handlers) && !r.Handlers[from].matches(f) {
		from++
	}
	return from
}

// call calls the handlers of an event, inside middleware if there is any.
func (r *runner) call(ctx context.Context, f *fact, first int) error {
	switch {
	case r.chain != nil:
	case len(r.Handlers) == 1:
		return r.callHandler(ctx, f, 0)
	default:
		return r.callHandlers(ctx, f, first)
	}
	// A message in its wire form and of its own, since middleware may change
	// or keep it.
	m, err := f.Wire()
	if err != nil {
		return &undecodable{err}
	}
	m.SetContext(ctx)
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

// panicked says what was recovered, without the value.
func (r *runner) panicked(value any) error {
	err, ours := value.(*changedEvent)
	if ours {
		r.bus.log.Error("notify: an observer changed an event", "observer", r.Name, "event", err.kind)
		return &panicked{err}
	}
	cause := panicError(value)
	r.bus.log.Error("notify: an observer panicked", "observer", r.Name, "panic", cause, stackOf(cause))
	return &panicked{cause}
}

var errExited = errors.New("the handler ended its goroutine")
