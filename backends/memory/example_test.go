package memory_test

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// The backend by itself, as notify uses it: groups that read one topic.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b := memory.New(func(c *memory.Config) { c.Retention = 10_000 })
	defer b.Close()

	pub, err := b.Publisher()
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := pub.Publish("events", message.NewMessage("", []byte(text))); err != nil {
			panic(err)
		}
	}

	if err := b.Fix(ctx, "events", "printer", backend.FromOldest()); err != nil {
		panic(err)
	}
	go b.Consume(ctx, backend.Consumption{
		Topic: "events",
		Group: "printer",
		Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
			for batch.Next() {
				fmt.Println(string(batch.Message().Payload))
				done++
			}
			return done, nil
		},
	})
	if err := b.CatchUp(ctx, "events", "printer"); err != nil {
		panic(err)
	}
	// Output:
	// one
	// two
}

// Records alone, for a program whose messages travel over another backend.
func ExampleNewRecords() {
	ctx := context.Background()
	records := memory.NewRecords()
	revision, err := records.Store(ctx, backend.Record{ID: "n_1", Body: backend.Bytes("queued"), Aliases: []string{"order 42"}})
	if err != nil {
		panic(err)
	}
	_, err = records.Store(ctx, backend.Record{ID: "n_1", Revision: revision - 1})
	fmt.Println(err)

	found, err := records.LoadAlias(ctx, "order 42")
	if err != nil {
		panic(err)
	}
	fmt.Println(found.ID, found.Revision)
	// Output:
	// memory: store record "n_1": it has revision 1, and 0 was expected: the record was changed meanwhile
	// n_1 1
}
