package memory

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.open, cancel)()
	t := b.topic(c.Topic)
	for !t.Group(c.Group, backend.FromOldest()).Consume(ctx, c) {
	}
	return nil
}
