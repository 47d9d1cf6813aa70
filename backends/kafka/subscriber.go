package kafka

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Subscriber implements [backend.Backend] by a [subscription.Subscriber]: each
// channel that its Subscribe returns is a member of the group in the cluster.
func (b *Backend) Subscriber(group string) (message.Subscriber, error) {
	if err := b.alive(); err != nil {
		return nil, fmt.Errorf("kafka: subscriber: %w", err)
	}
	if group == "" {
		return nil, errors.New("kafka: subscriber: the group is empty")
	}
	return b.subscribers.New(b.open, b, group, b.config.Logger), nil
}
