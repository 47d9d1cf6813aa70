package postgres

import (
	"context"
	"sync"
	"time"
)

// broadcast tells all who wait that something has changed.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // closed, and replaced, at the next change
}

func (b *broadcast) init() { b.ch = make(chan struct{}) }

// next is closed at the next change after the call.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}

// signal makes whoever reads ch look again.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// pause waits, until ctx ends or one of the others is ready: false means that
// ctx has ended.
func pause(ctx context.Context, d time.Duration, others ...<-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var first, second <-chan struct{}
	if len(others) > 0 {
		first = others[0]
	}
	if len(others) > 1 {
		second = others[1]
	}
	select {
	case <-timer.C:
	case <-first:
	case <-second:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
