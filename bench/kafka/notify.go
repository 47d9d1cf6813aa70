package kafka

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

type notifyClient struct {
	*kafka.Backend
	message.Publisher
}

func openNotify(brokers []string) (Client, error) {
	b := kafka.New(brokers, func(c *kafka.Config) { c.Prefix, c.Partitions = Prefix, Partitions })
	pub, err := b.Publisher()
	if err != nil {
		return nil, err
	}
	return &notifyClient{b, pub}, nil
}

func (n *notifyClient) Consume(ctx context.Context, topic string, workers int, handle func(*message.Message) error) error {
	return n.Backend.Consume(ctx, backend.Consumption{
		Topic: topic, Group: newGroup(), Concurrency: workers,
		Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
			for b.Next() {
				if err := handle(b.Message()); err != nil {
					return done, err
				}
				done++
			}
			return done, nil
		},
	})
}

func (n *notifyClient) Close() error { return n.Backend.Close() }
