package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// Consume implements [backend.Consumer]. Each call is a member of the group in
// the cluster, and has the partitions that this assigns to it; a process that
// wants more handlers at once raises Consumption.Concurrency. A group without a
// position starts at the oldest message that the topic has. Consumption.Skipped
// is told the offsets of one partition.
//
// It returns an error when the cluster refuses the member, or cannot be reached
// for [Config.Session], and may be called again.
func (b *Backend) Consume(ctx context.Context, c backend.Consumption) error {
	err := c.Complete()
	if err == nil {
		err = b.consume(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("kafka: consume %s for %s: %w", c.Topic, c.Group, err)
	}
	return nil
}

func (b *Backend) consume(ctx context.Context, c backend.Consumption) error {
	if ctx.Err() != nil {
		return b.alive()
	}
	err := b.position(ctx, c.Topic, c.Group, func(ctx context.Context, name, id string) error {
		return b.fix(ctx, name, id, backend.FromOldest())
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	b.delays.run()
	m := &member{backend: b, topic: b.topicName(c.Topic), id: b.groupID(c.Topic, c.Group), skipped: c.Skipped}
	turns := make(chan struct{}, c.Concurrency)
	m.busy = func() bool { return len(turns) == cap(turns) }
	m.open = func(_ int32, at int64, n note) claim { return newWindowed(ctx, m, c, turns, at, n) }
	if err := m.run(ctx); !errors.Is(err, errDismissed) {
		return err
	}
	select { // nothing more comes
	case <-ctx.Done():
	case <-b.open.Done():
	}
	return nil
}

// alive returns an error if the backend is closed.
func (b *Backend) alive() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return backend.ErrClosed
	}
	return nil
}
