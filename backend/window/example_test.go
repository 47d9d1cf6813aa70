package window_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/window"
)

// A reader adds what it reads from a log; what is to be written down after a
// message failed is that the log may be read on, and which message waits.
func Example() {
	w := window.New()
	for i, key := range []string{"n_1", "n_2", "n_3"} {
		m := message.NewMessage(key, []byte("shipped"))
		m.Metadata.Set(backend.KeyMetadata, key)
		if err := w.Add(window.Item{Position: int64(100 + i), Message: m}); err != nil {
			fmt.Println(err)
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	err := w.Consume(ctx, backend.Consumption{
		Topic: "events", Group: "printer",
		Backoff: func(int, error) time.Duration { return time.Hour },
		Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
			for b.Next() {
				if backend.Key(b.Message()) == "n_2" {
					return done, errors.New("out of paper")
				}
				fmt.Println(backend.Key(b.Message()), "is printed")
				if done++; backend.Key(b.Message()) == "n_3" {
					cancel()
				}
			}
			return done, nil
		},
	})
	fmt.Println(err)

	p := w.Position()
	fmt.Printf("all up to %d is finished: %t, but %d has failed %d time\n", p.At, p.Clear, p.Waiting[0].Position, p.Waiting[0].Attempt)
	low, _ := w.Low()
	fmt.Println("a single number to write down:", low)
	fmt.Println(w.Close(context.Background()))
	// Output:
	// n_1 is printed
	// n_3 is printed
	// <nil>
	// all up to 102 is finished: true, but 101 has failed 1 time
	// a single number to write down: 101
	// <nil>
}
