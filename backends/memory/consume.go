package memory

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/internal/fanout"
)

// Consume implements [backend.Consumer]. A group without a position starts at
// the oldest message that the topic has.
func (b *Backend) Consume(ctx context.Context, c backend.Consumption) error {
	if err := c.Complete(); err != nil {
		return fmt.Errorf("memory: consume: %w", err)
	}
	if err := b.enter(); err != nil {
		return fmt.Errorf("memory: consume %s: %w", c.Topic, err)
	}
	defer b.active.Done()
	b.consume(ctx, &fanout.Member{Consumption: c})
	return nil
}

// consume is Consume for what is complete, between enter and active.Done.
func (b *Backend) consume(ctx context.Context, m *fanout.Member) {
	t := b.topic(m.Topic)
	for !t.Group(m.Group, backend.FromOldest()).Consume(ctx, b.done, m) {
	}
}
