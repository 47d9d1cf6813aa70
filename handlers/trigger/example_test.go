package trigger_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/trigger"
)

// What no e-mail can reach gets a ticket.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	providers(n)
	opened := make(chan string, 1)
	n.Attach(trigger.Process("ticket", func(_ context.Context, key string, e notify.Event[notify.Undeliverable]) error {
		opened <- fmt.Sprintf("a ticket for %s: %s", e.RecipientID, e.Data.Reason)
		return nil
	}))
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	if _, err := n.Send(ctx, by(notify.EmailChannel)); err != nil {
		panic(err)
	}
	fmt.Println(<-opened)
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	// Output: a ticket for ann: exhausted
}
