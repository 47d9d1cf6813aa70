package kafka

import (
	"context"
	"errors"
	"sync"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	wmkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

type watermillClient struct {
	brokers   []string
	publisher *wmkafka.Publisher
}

// marshaler is watermill-kafka's, with the key of the message as the record's.
func marshaler() wmkafka.MarshalerUnmarshaler {
	return wmkafka.NewWithPartitioningMarshaler(func(_ string, m *message.Message) (string, error) { return backend.Key(m), nil })
}

// openWatermill keeps to the defaults, but for what notify promises too: that
// all replicas in sync have what was published.
func openWatermill(brokers []string) (Client, error) {
	config := wmkafka.DefaultSaramaSyncPublisherConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	pub, err := wmkafka.NewPublisher(wmkafka.PublisherConfig{
		Brokers: brokers, Marshaler: marshaler(), OverwriteSaramaConfig: config,
	}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	return &watermillClient{brokers, pub}, nil
}

func (w *watermillClient) Publish(topic string, messages ...*message.Message) error {
	return w.publisher.Publish(Prefix+topic, messages...)
}

func (w *watermillClient) Consume(ctx context.Context, topic string, workers int, handle func(*message.Message) error) error {
	config := wmkafka.DefaultSaramaSubscriberConfig()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	sub, err := wmkafka.NewSubscriber(wmkafka.SubscriberConfig{
		Brokers: w.brokers, Unmarshaler: marshaler(), OverwriteSaramaConfig: config, ConsumerGroup: newGroup(),
	}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	messages, err := sub.Subscribe(ctx, Prefix+topic)
	if err != nil {
		return errors.Join(err, sub.Close())
	}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for m := range messages {
				if handle(m) != nil {
					m.Nack()
				} else {
					m.Ack()
				}
			}
		})
	}
	<-ctx.Done()
	err = sub.Close()
	working.Wait()
	return err
}

func (w *watermillClient) Close() error { return w.publisher.Close() }
