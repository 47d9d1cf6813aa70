package kafka

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
)

type bareClient struct {
	brokers []string
	*kgo.Client
}

func openBare(brokers []string) (Client, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	return &bareClient{brokers, client}, nil
}

func (b *bareClient) Publish(topic string, messages ...*message.Message) error {
	records := make([]*kgo.Record, len(messages))
	for i, m := range messages {
		r := &kgo.Record{Topic: Prefix + topic, Key: []byte(backend.Key(m)), Value: m.Payload}
		for key, value := range m.Metadata {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
		records[i] = r
	}
	return b.ProduceSync(context.Background(), records...).FirstErr()
}

// Consume handles what it polls one after the other, whatever workers is.
func (b *bareClient) Consume(ctx context.Context, topic string, _ int, handle func(*message.Message) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.brokers...), kgo.ConsumerGroup(newGroup()), kgo.ConsumeTopics(Prefix+topic))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		for r := range fetches.RecordsAll() {
			if err := handle(&message.Message{Payload: r.Value}); err != nil {
				return err
			}
		}
	}
}

func (b *bareClient) Close() error {
	b.Client.Close()
	return nil
}
