package forward_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/forward"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Another team reads a topic of its own Pub/Sub, here Watermill's gochannel.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	theirs := gochannel.NewGoChannel(gochannel.Config{}, watermill.NopLogger{})
	messages, err := theirs.Subscribe(ctx, "deliveries")
	if err != nil {
		panic(err)
	}
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	n.Attach(forward.New(theirs, "deliveries", func(c *forward.Config) {
		c.Events = []any{notify.Settled{}}
	}))
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	if _, err := n.Send(ctx, to("acme")); err != nil {
		panic(err)
	}
	m := <-messages
	m.Ack()
	fmt.Println(m.Metadata["ce_type"], m.Metadata["content-type"])
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	if err := theirs.Close(); err != nil {
		panic(err)
	}
	// Output: notify.settled.v1 application/json
}
