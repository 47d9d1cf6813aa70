package notify

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// watermillPublisher is a handle: closing it leaves the Pub/Sub open.
type watermillPublisher struct {
	backend *watermillBackend
	closed  atomic.Bool
}

func (p *watermillPublisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() || p.backend.isClosed() {
		return fmt.Errorf("notify: FromWatermill: publish to %s: %w", topic, backend.ErrClosed)
	}
	return p.backend.pub.Publish(topic, messages...)
}

func (p *watermillPublisher) Close() error {
	p.closed.Store(true)
	return nil
}

// watermillSubscriber is a handle: closing it ends the subscriptions that were
// made through it.
type watermillSubscriber struct {
	backend *watermillBackend
	sub     message.Subscriber
	open    context.Context
	close   context.CancelFunc
}

func newWatermillSubscriber(b *watermillBackend, sub message.Subscriber) *watermillSubscriber {
	s := &watermillSubscriber{backend: b, sub: sub}
	s.open, s.close = context.WithCancel(context.Background())
	return s
}

func (s *watermillSubscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if s.open.Err() != nil || s.backend.isClosed() {
		return nil, fmt.Errorf("notify: FromWatermill: subscribe to %s: %w", topic, backend.ErrClosed)
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.open, cancel)
	messages, err := s.sub.Subscribe(ctx, topic)
	if err != nil {
		cancel()
		return nil, err
	}
	return messages, nil
}

func (s *watermillSubscriber) Close() error {
	s.close()
	return nil
}
