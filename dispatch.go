package notify

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// runner runs one observer: it is the Handle of the observer's consumption.
type runner struct {
	Observer
	bus   *bus
	base  context.Context // canceled to stop handlers that do not end by themselves
	stop  context.CancelFunc
	halt  context.CancelFunc // ends its consumption; nil before it was started
	ended chan struct{}      // closed when its consumption has ended
	chain message.HandlerFunc
	stats *counters

	mu   sync.Mutex
	idle []*delivery

	failing failingKeys
	// letters counts the dead letters since the observer last handled
	// something: after pauseAfter of them it fails on everything, and pauses.
	letters atomic.Int64
}

const (
	pauseAfter    = 20
	pausedBackoff = 30 * time.Second
)

func (r *runner) group() string { return observerGroup(r.Name) }

func observerGroup(name string) string { return pipelineGroup + "." + name }

func (r *runner) consumption() backend.Consumption {
	return backend.Consumption{
		Topic: eventsTopic, Group: r.group(), Concurrency: r.Concurrency, Handle: r.handle,
		Backoff: func(attempt int, _ error) time.Duration {
			if r.paused() {
				return pausedBackoff
			}
			return r.Retry.Backoff(attempt)
		},
		Skipped: func(from, to int64) { r.bus.skipped(r.Name, from, to) },
	}
}

func (r *runner) paused() bool { return r.letters.Load() >= pauseAfter }

// handle goes through a batch with one recovery, one clock reading at each end
// and one flush of statistics.
func (r *runner) handle(_ context.Context, b *backend.Batch) (done int, err error) {
	d := r.delivery()
	began := time.Now()
	r.stats.inFlight.Add(1)
	done, matched, err := r.run(d, b)
	r.stats.inFlight.Add(-1)
	r.stats.handled(matched, began, err != nil)
	timedOut := d.expired.Load()
	r.release(d)
	if err == nil {
		return done, nil
	}
	return r.failed(b.Message(), b.Attempt, done, err, timedOut)
}

// run has the handlers handle event after event, until one fails.
func (r *runner) run(d *delivery, b *backend.Batch) (done, matched int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{panicError(p)}
			r.bus.log.Error("notify: an observer panicked", "observer", r.Name, "panic", err, "stack", string(debug.Stack()))
		}
	}()
	for b.Next() {
		f, isLocal := b.Message().Context().(*fact)
		if !isLocal {
			if f, err = r.bus.codec.decode(b.Message()); err != nil {
				return done, matched, &undecodable{err}
			}
		}
		d.begin(f)
		ran, err := r.deliver(d, f)
		if ran {
			matched++
		}
		if err != nil {
			return done, matched, err
		}
		done++
		if ran {
			r.succeeded(f)
		}
		if d.expired.Load() {
			return done, matched, nil // the rest gets a context that is alive
		}
	}
	return done, matched, nil
}

func (r *runner) deliver(d *delivery, f *fact) (matched bool, err error) {
	if r.chain != nil {
		return r.throughMiddleware(d, f)
	}
	return r.callHandlers(d, f)
}

func (r *runner) callHandlers(ctx context.Context, f *fact) (matched bool, err error) {
	for i := range r.Handlers {
		ran, err := r.Handlers[i].call(ctx, f)
		matched = matched || ran
		if err != nil {
			return matched, err
		}
	}
	return matched, nil
}

// middlewareKey finds, in a message's context, whether the handlers ran.
type middlewareKey struct{}

// throughMiddleware runs Watermill's middleware around the handlers, on a copy
// of the message, since it may change or keep it.
func (r *runner) throughMiddleware(d *delivery, f *fact) (bool, error) {
	m, err := f.Wire()
	if err != nil {
		return true, &undecodable{err}
	}
	matched := new(bool)
	m.SetContext(context.WithValue(d, middlewareKey{}, matched))
	_, err = r.chain(m)
	return *matched, err
}

// afterMiddleware is the handler that middleware is wrapped around.
func (r *runner) afterMiddleware(m *message.Message) ([]*message.Message, error) {
	f, err := r.bus.codec.decode(m)
	if err != nil {
		return nil, &undecodable{err}
	}
	ran, err := r.callHandlers(m.Context(), f)
	if matched, ok := m.Context().Value(middlewareKey{}).(*bool); ok && ran {
		*matched = true
	}
	return nil, err
}

// succeeded notes that an event was handled.
func (r *runner) succeeded(f *fact) {
	if r.letters.Load() != 0 {
		r.letters.Store(0)
	}
	if r.failing.any.Load() {
		r.failing.remove(f.key())
	}
}

type panicked struct{ error }

func (e *panicked) Unwrap() error { return e.error }

type undecodable struct{ error }

func (e *undecodable) Unwrap() error { return e.error }

// errTooDeep is what Send and Emit return when observers answer each other
// without end.
var errTooDeep = errors.New("notify: observers answer each other's events for too long")

func classify(err error, timedOut bool) ObserverError {
	var panicErr *panicked
	var decodeErr *undecodable
	switch {
	case errors.As(err, &panicErr):
		return ObserverPanicked
	case errors.As(err, &decodeErr):
		return ObserverUndecodable
	case errors.Is(err, errTooDeep):
		return ObserverTooDeep
	case isPermanent(err):
		return ObserverPermanent
	case timedOut:
		return ObserverTimedOut
	default:
		return ObserverReturnedError
	}
}

// failed decides what becomes of the event that a handler failed on: it comes
// again, or becomes a dead letter.
func (r *runner) failed(m *message.Message, attempt, done int, err error, timedOut bool) (int, error) {
	class := classify(err, timedOut)
	key := backend.Key(m)
	last := r.Retry.Attempts > 0 && attempt >= r.Retry.Attempts
	hopeless := class == ObserverPermanent || class == ObserverUndecodable || class == ObserverTooDeep
	if !hopeless && !last && !r.failing.has(key) {
		if attempt == 1 {
			r.bus.observerFailed(r.Name, m, class)
		}
		r.stats.retries.Add(1)
		return done, fmt.Errorf("notify: observer %s: %w", r.Name, err)
	}
	if r.paused() {
		return done, fmt.Errorf("notify: observer %s fails on everything: %w", r.Name, err)
	}
	if buryErr := r.bus.bury(r, m, attempt, class, err); buryErr != nil {
		return done, buryErr
	}
	r.stats.deadLetters.Add(1)
	r.letters.Add(1)
	r.failing.add(key)
	return done + 1, nil
}

// failingKeys are the keys whose last event became a dead letter: their next
// event gets one attempt, until one succeeds.
type failingKeys struct {
	any  atomic.Bool
	mu   sync.Mutex
	keys map[string]struct{}
}

// maxFailingKeys bounds failingKeys; beyond it events get all their attempts.
const maxFailingKeys = 10_000

func (k *failingKeys) has(key string) bool {
	if !k.any.Load() {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.keys[key]
	return ok
}

func (k *failingKeys) add(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]struct{}{}
	}
	if len(k.keys) < maxFailingKeys {
		k.keys[key] = struct{}{}
		k.any.Store(true)
	}
}

func (k *failingKeys) remove(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, key)
	k.any.Store(len(k.keys) > 0)
}
