package memory

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Publisher implements [backend.Backend]. Its Publish copies the messages,
// without their contexts, and never blocks.
func (b *Backend) Publisher() (message.Publisher, error) {
	if b.closed.Load() {
		return nil, fmt.Errorf("memory: publisher: %w", backend.ErrClosed)
	}
	return &publisher{backend: b}, nil
}

type publisher struct {
	backend *Backend
	closed  atomic.Bool
}

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return fmt.Errorf("memory: publish to %s: the publisher is %w", topic, backend.ErrClosed)
	}
	copies := make([]backend.Entry, len(messages))
	for i, m := range messages {
		if m == nil {
			return fmt.Errorf("memory: publish to %s: message %d is nil", topic, i)
		}
		wire, err := backend.Wire(m)
		if err != nil {
			return fmt.Errorf("memory: publish to %s: encode message %d: %w", topic, i, err)
		}
		copies[i] = backend.EntryOf(wire.Copy())
	}
	return p.backend.publish(time.Now(), topic, copies...)
}

func (p *publisher) Close() error {
	p.closed.Store(true)
	return nil
}
