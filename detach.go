package notify

import (
	"context"
	"fmt"
)

// detach removes an observer. It stays known until its position is forgotten,
// so that detach can be called again after an error.
func (b *bus) detach(ctx context.Context, name string) error {
	b.registering.Lock()
	r := b.find(name)
	if r == nil {
		b.registering.Unlock()
		return fmt.Errorf("notify: detach observer %q: %w", name, ErrNotFound)
	}
	r.leaving.Store(true)
	b.mu.Lock()
	halt := r.halt
	b.mu.Unlock()
	b.registering.Unlock()
	if halt == nil {
		return b.forget(ctx, r)
	}
	halt()
	if d, _ := causeOf(ctx); d != nil && d.runner == r {
		return nil // its own handler calls, and has to return first
	}
	select {
	case <-r.ended:
	case <-ctx.Done():
		r.stop()
		return fmt.Errorf("notify: detach observer %s: it still runs: %w", name, ctx.Err())
	}
	if b.find(name) != r {
		return nil
	}
	return b.forget(ctx, r)
}

// forget drops an observer that does not run, and its position.
func (b *bus) forget(ctx context.Context, r *runner) error {
	if b.positions != nil {
		err := b.positions.Forget(ctx, eventsTopic, r.group())
		if err == nil && r.ReplaySafe {
			err = b.positions.Forget(ctx, eventsTopic, replayGroup(r.Name)) // that a crash may have left
		}
		if err != nil {
			return fmt.Errorf("notify: forget the position of observer %s: %w", r.Name, translate(err))
		}
	}
	b.remove(r)
	r.stop()
	return nil
}
