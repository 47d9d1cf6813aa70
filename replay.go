package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Replay gives an observer the events from a time on once more, as far as the
// backend still has them (all of these if from is zero), and returns when it has
// handled those that were raised before the call. Meanwhile it goes on with what
// is raised: there is no gap, and what comes twice has the same ID. Failures,
// retries, dead letters and statistics are as ever.
//
// What is replayed comes in its order, but beside what is new: the observer may
// get an older event of a notification after, or while it handles, a newer one. So
// it must declare that it can bear that ([Observer.ReplaySafe]); otherwise the
// error wraps [ErrUnsupported], as on a backend without positions
// ([backend.Positioner]). The error wraps [ErrNotFound] if the observer is not
// registered in this process, and is ctx's if that ends before: then some of it
// was replayed, and Replay may be called again; handlers that run are waited for.
// An observer has one replay at a time in a process, others wait. Let one process
// at a time call it: one that begins in another takes the place of the first, which
// fails. One that ends with its process is not taken up again.
func (n *Notifier) Replay(ctx context.Context, observer string, from time.Time) error {
	if err := n.bus.replay(ctx, observer, from); err != nil {
		return fmt.Errorf("notify: replay to observer %q: %w", observer, err)
	}
	return nil
}

func (b *bus) replay(ctx context.Context, observer string, from time.Time) error {
	r := b.find(observer)
	switch {
	case r == nil:
		return fmt.Errorf("it is not registered in this process: %w", ErrNotFound)
	case !r.ReplaySafe:
		return fmt.Errorf("%w: it has to declare that events may come again, by Observer.ReplaySafe", ErrUnsupported)
	case b.positions == nil:
		return fmt.Errorf("%w: the backend has no positions", ErrUnsupported)
	}
	b.mu.Lock()
	halted := r.halted
	b.mu.Unlock()
	if halted == nil {
		return errors.New("it does not run yet: call Run, and wait for Ready")
	}
	select {
	case r.replaying <- struct{}{}:
		defer func() { <-r.replaying }()
	case <-halted:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-halted:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	return b.history(ctx, r, from)
}

// history has the observer handle what a group of its own gets, until that has
// caught up.
func (b *bus) history(ctx context.Context, r *runner, from time.Time) (err error) {
	consuming, stop := context.WithCancel(ctx)
	defer stop()
	c := r.consumption()
	c.Group = replayGroup(r.Name)
	c.Handle = func(_ context.Context, batch *backend.Batch) (int, error) {
		return r.handleUntil(consuming.Done(), batch)
	}
	start := backend.FromTime(from)
	if from.IsZero() {
		start = backend.FromOldest()
	}
	// One that a crash has left is somewhere else.
	if err := b.positions.Forget(ctx, c.Topic, c.Group); err != nil {
		return orCause(ctx, err)
	}
	if err := b.positions.Fix(ctx, c.Topic, c.Group, start); err != nil {
		return orCause(ctx, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.consuming.run(consuming, c)
	}()
	err = b.positions.CatchUp(ctx, c.Topic, c.Group)
	stop()
	<-ended
	if ctx.Err() == nil && errors.Is(err, backend.ErrNotFound) { // what has its name now is another's
		return errors.New("its position was dropped: another process has begun one, or detached the observer")
	}
	// Whatever became of it, nothing need be kept for the group any more.
	forget, done := context.WithTimeout(context.WithoutCancel(ctx), forgetPatience)
	defer done()
	forgotten := b.positions.Forget(forget, c.Topic, c.Group)
	if err == nil {
		err = forgotten
	}
	return orCause(ctx, err)
}

// replayGroup is a group that no observer can have.
func replayGroup(observer string) string { return pipelineGroup + "-replay." + observer }

const forgetPatience = 10 * time.Second

// orCause is why ctx ended, or err if it has not.
func orCause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return translate(err)
}
