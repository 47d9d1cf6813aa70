package notify_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// Any Watermill Pub/Sub carries work and events; what it lacks comes from the
// Config. One with consumer groups makes a subscriber for each group here.
func ExampleFromWatermill() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	pubSub := gochannel.NewGoChannel(gochannel.Config{}, nil)
	n, err := notify.New(notify.Config{
		Backend: notify.FromWatermill(pubSub, func(group string) (message.Subscriber, error) {
			return pubSub, nil
		}),
		Records:    memory.NewRecords(),
		AddressKey: []byte("at least sixteen secret bytes"),
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	notify.Use(n, printer{})
	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{Name: "Ann", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	})
	if err != nil {
		log.Fatal(err)
	}
	status, err := n.Wait(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.State)
	if err := n.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// mail to Ann: Shipped
	// sent
}
