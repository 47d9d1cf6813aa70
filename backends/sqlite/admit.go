package sqlite

import (
	"context"
	"fmt"
)

// Admit implements [backend.Admitter]. The room of a topic is
// [Config.MaxWork] less the lag of the group that is furthest behind, or less
// what the topic has when it has no group. A topic where nothing waits admits
// any n. Callers that wait are served in their order. Callers admitted at the
// same time may together exceed the room, each once.
func (b *Backend) Admit(ctx context.Context, topic string, n int, wait bool) error {
	s, err := b.enter(context.WithoutCancel(ctx))
	if err == nil {
		defer b.leave()
		if t := s.topic(topic); t != nil {
			err = t.gate.Enter(ctx, b.life.Done(), n, wait)
		}
	}
	if err != nil {
		return fmt.Errorf("sqlite: admit to %s: %w", topic, err)
	}
	return nil
}
