package postgres

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Subscriber implements [backend.Backend] with a [subscription.Subscriber]:
// messages of one key are delivered one after the other over all of the group's
// channels and processes.
func (b *Backend) Subscriber(group string) (message.Subscriber, error) {
	err := checkName("group", group)
	if err == nil {
		if err = b.begin(); err == nil {
			b.consuming.Done()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: subscriber: %w", err)
	}
	return b.subscribers.New(b.life, b, group, b.config.Logger), nil
}
