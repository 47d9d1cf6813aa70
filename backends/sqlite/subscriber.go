package sqlite

import (
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Subscriber implements [backend.Backend] with a [subscription.Subscriber].
func (b *Backend) Subscriber(group string) (message.Subscriber, error) {
	switch {
	case b.isClosed():
		return nil, fmt.Errorf("sqlite: subscriber: %w", backend.ErrClosed)
	case group == "":
		return nil, errors.New("sqlite: subscriber: the group is empty")
	}
	return b.subscribers.New(b.life, b, group, b.config.Logger), nil
}
