package notify

import (
	"sync"
	"sync/atomic"
)

// waiters are those who wait for a notification's record to change.
type waiters struct {
	any   atomic.Int64 // how many there are
	mu    sync.Mutex
	waits map[string]map[chan struct{}]struct{} // by notification
}

func newWaiters() *waiters { return &waiters{waits: map[string]map[chan struct{}]struct{}{}} }

// wake wakes those who wait for the notification.
func (w *waiters) wake(id string) {
	if w.any.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.waits[id] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// add returns a channel that gets a value after each change.
func (w *waiters) add(id string) (changed <-chan struct{}, remove func()) {
	c := make(chan struct{}, 1)
	w.any.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waits[id] == nil {
		w.waits[id] = map[chan struct{}]struct{}{}
	}
	w.waits[id][c] = struct{}{}
	return c, func() {
		w.any.Add(-1)
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waits[id], c)
		if len(w.waits[id]) == 0 {
			delete(w.waits, id)
		}
	}
}
