package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/internal/fanout"
)

// Fix implements [backend.Positioner].
func (b *Backend) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	if err := b.check(ctx, topic, group); err != nil {
		return fmt.Errorf("memory: fix the position of %s in %s: %w", group, topic, err)
	}
	b.topic(topic).Group(group, from)
	return nil
}

// Rename implements [backend.Positioner]. Members that consume go on under the
// new name.
func (b *Backend) Rename(ctx context.Context, topic, from, to string) error {
	err := b.check(ctx, topic, from)
	if err == nil {
		err = b.check(ctx, topic, to)
	}
	if err != nil {
		return fmt.Errorf("memory: rename %s in %s: %w", from, topic, err)
	}
	b.topic(topic).Rename(from, to)
	return nil
}

// Forget implements [backend.Positioner]. Members that consume get nothing
// more; whoever consumes next starts a new group.
func (b *Backend) Forget(ctx context.Context, topic, group string) error {
	if err := b.check(ctx, topic, group); err != nil {
		return fmt.Errorf("memory: forget %s in %s: %w", group, topic, err)
	}
	b.topic(topic).Forget(group)
	return nil
}

// Lag implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound.
func (b *Backend) Lag(ctx context.Context, topic, group string) (int64, error) {
	g, err := b.position(ctx, topic, group)
	if err != nil {
		return 0, fmt.Errorf("memory: lag of %s in %s: %w", group, topic, err)
	}
	return g.Lag(), nil
}

// CatchUp implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound. Messages that the group is moved over count
// as finished.
func (b *Backend) CatchUp(ctx context.Context, topic, group string) error {
	g, err := b.position(ctx, topic, group)
	if err == nil {
		err = g.CatchUp(ctx)
	}
	if err != nil {
		if b.closed.Load() {
			err = backend.ErrClosed
		}
		return fmt.Errorf("memory: catch up %s in %s: %w", group, topic, err)
	}
	return nil
}

// position returns the group if it has a position.
func (b *Backend) position(ctx context.Context, topic, group string) (*fanout.Group, error) {
	if err := b.check(ctx, topic, group); err != nil {
		return nil, err
	}
	t := (*b.topics.Load())[topic]
	if t == nil {
		return nil, fanout.ErrNoPosition
	}
	if g := t.Find(group); g != nil {
		return g, nil
	}
	return nil, fanout.ErrNoPosition
}

func (b *Backend) check(ctx context.Context, topic, group string) error {
	switch {
	case b.closed.Load():
		return backend.ErrClosed
	case topic == "":
		return errors.New("the topic is empty")
	case group == "":
		return errors.New("the group is empty")
	}
	return ctx.Err()
}
