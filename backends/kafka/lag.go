package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

var errNoPosition = fmt.Errorf("the group has no position: %w", backend.ErrNotFound)

// Lag implements [backend.Positioner]. Of partitions that a member in this
// process has, it counts what is not finished; of others, what was not when
// their position was written last. For a group without a position the error
// wraps backend.ErrNotFound.
func (b *Backend) Lag(ctx context.Context, topic, group string) (lag int64, err error) {
	if err := b.position(ctx, topic, group, func(ctx context.Context, name, id string) error {
		ends, err := listed(b.admin().ListEndOffsets(ctx, name))
		if err != nil {
			return err
		}
		c, err := b.committed(ctx, name, id)
		if err != nil {
			return err
		}
		if len(c.offsets) == 0 {
			return errNoPosition
		}
		here := b.members.states(id)
		for p, end := range ends {
			if s, ok := here[p]; ok {
				lag += max(0, end-s.next) + s.unfinished
			} else if n, ok := readNote(c.offsets[p], c.notes[p]); ok {
				lag += max(0, end-n.next) + int64(len(n.waiting))
			} else {
				lag += max(0, end-c.offsets[p])
			}
		}
		return nil
	}); err != nil {
		return 0, fmt.Errorf("kafka: lag of %s in %s: %w", group, topic, err)
	}
	return lag, nil
}

// CatchUp implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound. Messages that the group is moved over count
// as finished.
func (b *Backend) CatchUp(ctx context.Context, topic, group string) error {
	if err := b.position(ctx, topic, group, func(ctx context.Context, name, id string) error {
		ends, err := listed(b.admin().ListEndOffsets(ctx, name))
		if err != nil {
			return err
		}
		return b.catchUp(ctx, name, id, ends)
	}); err != nil {
		return fmt.Errorf("kafka: catch up %s in %s: %w", group, topic, err)
	}
	return nil
}

func (b *Backend) catchUp(ctx context.Context, topic, id string, ends map[int32]int64) error {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		c, err := b.committed(ctx, topic, id)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return err
		case len(c.offsets) == 0:
			return errNoPosition
		}
		here := b.members.states(id)
		behind := false
		for p, end := range ends {
			at := c.offsets[p]
			if s, ok := here[p]; ok {
				at = s.low
			}
			behind = behind || at < end
		}
		if !behind {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
