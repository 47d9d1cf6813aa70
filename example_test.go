package notify_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
)

// A provider is any type with a name that can send the messages of one
// channel. This one stands for a push service that is down.
type brokenPush struct{}

func (brokenPush) Name() string { return "broken-push" }

func (brokenPush) Send(context.Context, notify.Delivery[notify.Push]) (notify.Receipt, error) {
	return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "unregistered"}
}

// printer "sends" e-mail by printing it.
type printer struct{}

func (printer) Name() string { return "printer" }

func (printer) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	fmt.Printf("mail to %s: %s\n", d.Message.ToName, d.Message.Subject)
	return notify.Receipt{}, nil
}

// The whole of it: a push that fails, the e-mail that takes over, and an
// observer that is told.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	notify.Use(n, brokenPush{})
	notify.Use(n, printer{})
	notify.On(n, "failovers", func(_ context.Context, e notify.Event[notify.FailedOver]) error {
		fmt.Printf("%s failed (%s), trying %s\n", e.Data.From.Channel, e.Data.Failure.Code, e.Data.To.Channel)
		return nil
	})
	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		log.Fatal(err)
	}

	id, err := n.Send(ctx, notify.Notification{
		To: notify.Recipient{ID: "u_42", Name: "Ann", Addresses: map[notify.Channel]string{
			notify.PushChannel:  "token-of-an-old-phone",
			notify.EmailChannel: "ann@example.com",
		}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.PushChannel, notify.EmailChannel),
	})
	if err != nil {
		log.Fatal(err)
	}
	status, err := n.Wait(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	if err := n.Close(ctx); err != nil { // waits for the observer, too
		log.Fatal(err)
	}
	fmt.Println(status.State)
	// Unordered output:
	// push failed (unregistered), trying email
	// mail to Ann: Shipped
	// sent
}
