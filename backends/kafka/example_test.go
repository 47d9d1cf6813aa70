package kafka_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// A group begins where it was fixed, reads in the order of each key, and writes
// down what it has finished.
func Example() {
	// A cluster in this process, in place of a real one.
	cluster, err := kfake.NewCluster()
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	b := kafka.New(cluster.ListenAddrs(), func(c *kafka.Config) {
		c.Partitions = 4
		c.Retention = 24 * time.Hour
	})
	defer func() { _ = b.Close() }()
	pub, err := b.Publisher() // connects, and checks the configuration
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := b.Fix(ctx, "events", "printer", backend.FromNow()); err != nil {
		log.Fatal(err)
	}
	for i, text := range []string{"accepted", "sent", "delivered"} {
		m := message.NewMessage(fmt.Sprint(i), []byte(text))
		m.Metadata.Set(backend.KeyMetadata, "n_1")
		if err := pub.Publish("events", m); err != nil {
			log.Fatal(err)
		}
	}
	err = b.Consume(ctx, backend.Consumption{
		Topic: "events", Group: "printer", Concurrency: 8,
		Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
			for batch.Next() {
				m := batch.Message()
				fmt.Println(backend.Key(m), "was", string(m.Payload))
				if done++; string(m.Payload) == "delivered" {
					cancel()
				}
			}
			return done, nil
		},
	})
	fmt.Println(err)
	// Output:
	// n_1 was accepted
	// n_1 was sent
	// n_1 was delivered
	// <nil>
}
