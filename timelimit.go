package notify

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// timeLimit is a context with a timeout. Its timer and channel are made when
// somebody first waits for its end: a store in this process never does, and
// making them would be a notable part of what a call costs.
type timeLimit struct {
	parent   context.Context
	deadline time.Time
	over     atomic.Bool // cancel was called
	made     atomic.Pointer[madeLimit]
	mu       sync.Mutex // held to set made
}

type madeLimit struct {
	context.Context
	cancel context.CancelFunc
}

var _ context.Context = (*timeLimit)(nil)

// withTimeLimit is context.WithTimeout; cancel has to be called in the end.
func withTimeLimit(parent context.Context, limit time.Duration) *timeLimit {
	return &timeLimit{parent: parent, deadline: time.Now().Add(limit)}
}

func (t *timeLimit) cancel() {
	t.over.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.made.Load(); m != nil {
		m.cancel()
	}
}

func (t *timeLimit) make() *madeLimit {
	if m := t.made.Load(); m != nil {
		return m
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if m := t.made.Load(); m != nil {
		return m
	}
	m := &madeLimit{}
	m.Context, m.cancel = context.WithDeadline(t.parent, t.deadline)
	if t.over.Load() {
		m.cancel()
	}
	t.made.Store(m)
	return m
}

// Deadline implements [context.Context].
func (t *timeLimit) Deadline() (time.Time, bool) {
	if earlier, ok := t.parent.Deadline(); ok && earlier.Before(t.deadline) {
		return earlier, true
	}
	return t.deadline, true
}

// Done implements [context.Context].
func (t *timeLimit) Done() <-chan struct{} { return t.make().Done() }

// Err implements [context.Context].
func (t *timeLimit) Err() error {
	if t.made.Load() == nil && !t.over.Load() && t.parent.Err() == nil && time.Now().Before(t.deadline) {
		return nil
	}
	return t.make().Err()
}

// Value implements [context.Context].
func (t *timeLimit) Value(key any) any {
	if m := t.made.Load(); m != nil {
		return m.Value(key) // so that children find the context to end with
	}
	return t.parent.Value(key)
}
