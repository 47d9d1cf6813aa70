package kafka

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Partitions is how many the topic has.
const Partitions = 4

// Side is one way to publish to Kafka and to consume.
type Side struct {
	Name string
	// Open connects to the cluster.
	Open func(brokers []string) (Client, error)
	// Ordered: a member keeps the order of each key.
	Ordered bool
}

// Client is a side at work.
type Client interface {
	// Publish returns once all replicas in sync have the messages.
	Publish(topic string, messages ...*message.Message) error
	// Consume calls handle for what a new group finds in the topic, in as many
	// workers as it can use of those, until ctx ends. A message that failed
	// comes again.
	Consume(ctx context.Context, topic string, workers int, handle func(m *message.Message) error) error
	// Close ends what Open began.
	Close() error
}

// Sides are all of them: notify, watermill-kafka, and the client that notify
// uses, with nothing around it.
func Sides() []Side {
	return []Side{
		{Name: NotifyName, Open: openNotify, Ordered: true},
		{Name: WatermillName, Open: openWatermill, Ordered: true},
		{Name: BareName, Open: openBare},
	}
}

// The names of the sides.
const (
	NotifyName    = "notify"
	WatermillName = "watermill-kafka"
	BareName      = "bare franz-go"
)
