package cache

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// burst gathers keys into calls. Who begins a call makes it, so there is no
// goroutine to own.
type burst struct {
	invalidator Invalidator
	window      time.Duration
	most        int

	mu   sync.Mutex
	next *call // that is being gathered; nil: none
}

// call is one call of the invalidator.
type call struct {
	keys []string
	has  map[string]bool
	full chan struct{} // closed when there is no room for more
	done chan struct{} // closed when err is there
	err  error
}

// invalidate returns when the keys are invalidated.
func (b *burst) invalidate(ctx context.Context, keys []string) error {
	c, mine := b.join(keys)
	if mine {
		b.gather(ctx, c)
		defer close(c.done) // also if the invalidator panics
		c.err = errPanicked
		c.err = b.call(ctx, c.keys)
		return c.err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errPanicked = fmt.Errorf("cache: the invalidator panicked in a call that others share")

// join adds keys to the call that is being gathered, and tells whether that is a
// new one, which the caller has to make.
func (b *burst) join(keys []string) (c *call, mine bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c = b.next; c == nil {
		mine = true
		c = &call{has: map[string]bool{}, full: make(chan struct{}), done: make(chan struct{})}
		b.next = c
	}
	for _, key := range keys {
		if !c.has[key] {
			c.has[key] = true
			c.keys = append(c.keys, key)
		}
	}
	if len(c.keys) >= b.most {
		b.next = nil
		close(c.full)
	}
	return c, mine
}

// gather waits until the call is to be made, which keeps half of the time there is at
// least. Then nobody joins it any more.
func (b *burst) gather(ctx context.Context, c *call) {
	window := b.window
	if end, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(end)/2)
	}
	if window > 0 {
		timer := time.NewTimer(window)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-c.full:
		case <-ctx.Done(): // the call tells
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == c {
		b.next = nil
	}
}

func (b *burst) call(ctx context.Context, keys []string) error {
	if err := b.invalidator.Invalidate(ctx, keys); err != nil {
		return fmt.Errorf("cache: invalidate %d keys: %w", len(keys), err)
	}
	return nil
}
