package backend_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// discard is the least that a backend has to be: its messages go nowhere.
type discard struct{}

func (discard) Publisher() (message.Publisher, error)         { return nil, nil }
func (discard) Subscriber(string) (message.Subscriber, error) { return nil, nil }
func (discard) Close() error                                  { return nil }

// What a backend can do is found out by type assertion, so one that can do more
// implements more.
func Example() {
	var b backend.Backend = discard{}
	_, keeps := b.(backend.Records)
	_, delays := b.(backend.DelayedPublisher)
	fmt.Println("records:", keeps, "delays:", delays)
	// Output: records: false delays: false
}

// A handler goes through a batch, and says how much of it is done. Claiming a
// message says that the one before is finished.
func ExampleConsumption() {
	c := backend.Consumption{
		Topic: "events",
		Group: "printer",
		Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
			for batch.Next() {
				m := batch.Message()
				if len(m.Payload) == 0 {
					return done, fmt.Errorf("message %d of %d is empty", done+1, batch.Len())
				}
				fmt.Printf("%s has %s\n", backend.Key(m), m.Payload)
				done++
			}
			return done, nil
		},
	}

	one, two := message.NewMessage("1", []byte("arrived")), message.NewMessage("2", nil)
	one.Metadata.Set(backend.KeyMetadata, "n_1")
	fmt.Println(c.Handle(context.Background(), backend.NewBatch(1, one, two))) // as a backend does
	// Output:
	// n_1 has arrived
	// 1 message 2 of 2 is empty
}
