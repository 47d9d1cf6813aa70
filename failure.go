package notify

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

type panicked struct{ error }

func (e *panicked) Unwrap() error { return e.error }

type undecodable struct{ error }

func (e *undecodable) Unwrap() error { return e.error }

// errTooDeep is what Send and Emit return when observers answer each other
// without end.
var errTooDeep = errors.New("notify: observers answer each other's events for too long")

// classify says how an observer failed. The error is the host's, so that even
// looking at it may panic.
func classify(err error, late bool) (class ObserverError) {
	defer func() {
		if recover() != nil {
			class = ObserverReturnedError
		}
	}()
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
	case late:
		return ObserverTimedOut
	default:
		return ObserverReturnedError
	}
}

// failed decides what becomes of the event that a handler failed on: it comes
// again, or becomes a dead letter.
func (r *runner) failed(m *message.Message, attempt, done int, err error, late bool) (int, error) {
	class := classify(err, late)
	key, shared := sharedKey(m)
	final := r.Retry.Attempts > 0 && attempt >= r.Retry.Attempts
	switch class {
	case ObserverPermanent, ObserverUndecodable, ObserverTooDeep:
		final = true
	}
	// An event that cannot be read says nothing about the observer.
	counts := class != ObserverUndecodable
	if !final && !r.failing.has(key) || counts && r.pause.on() {
		if attempt == 1 {
			r.bus.observerFailed(r.Name, m, class)
		}
		r.stats.retries.Add(1)
		return done, fmt.Errorf("notify: observer %s: %w", r.Name, err)
	}
	if buryErr := r.giveUp(m, attempt, class, err); buryErr != nil {
		return done, buryErr
	}
	if counts {
		r.pause.failed(key)
	}
	if shared {
		r.failing.add(key)
	}
	return done + 1, nil
}

// backoff is the host's pause before an event comes again.
func (r *runner) backoff(attempt int, _ error) (pause time.Duration) {
	if r.pause.on() {
		return pauseEvery
	}
	defer func() {
		if p := recover(); p != nil {
			pause = pauseEvery
			r.bus.log.Error("notify: the Retry.Backoff of an observer panicked", "observer", r.Name, "panic", panicError(p))
		}
	}()
	return r.Retry.Backoff(attempt)
}

// sharedKey returns the message's key, and whether other events may have it
// too: those of a notification do.
func sharedKey(m *message.Message) (key string, shared bool) {
	if f, isLocal := m.Context().(*fact); isLocal {
		return f.key(), f.NotificationID != ""
	}
	return backend.Key(m), m.Metadata[attrSubject] != ""
}

// failingKeys are the keys whose last event became a dead letter: their next
// event gets one attempt, until one succeeds.
type failingKeys struct {
	any  atomic.Bool
	mu   sync.Mutex
	keys map[string]struct{}
}

// maxFailingKeys bounds failingKeys; beyond it some key is forgotten, and its
// next event gets all its attempts.
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
	if len(k.keys) >= maxFailingKeys {
		for other := range k.keys {
			delete(k.keys, other)
			break
		}
	}
	k.keys[key] = struct{}{}
	k.any.Store(true)
}

func (k *failingKeys) remove(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, key)
	k.any.Store(len(k.keys) > 0)
}
