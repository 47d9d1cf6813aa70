package memory

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// Admit implements [backend.Admitter]. The room of a topic is
// [Config.MaxWork] less the lag of the group that is furthest behind, or less
// what the topic has when it has no group. A topic where nothing waits admits
// any n. Callers that wait are served in their order. Callers admitted at the
// same time may together exceed the room, each once.
func (b *Backend) Admit(ctx context.Context, topic string, n int, wait bool) error {
	if b.closed.Load() {
		return fmt.Errorf("memory: admit to %s: %w", topic, backend.ErrClosed)
	}
	if err := b.topic(topic).Admit(ctx, b.open.Done(), n, wait); err != nil {
		return fmt.Errorf("memory: admit to %s: %w", topic, err)
	}
	return nil
}
