package suppression_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Who unsubscribes from a category gets no more of it, and of others still does.
func Example() {
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(n, mail)
	list := suppression.New(suppression.NewMemory())
	n.Attach(list)
	ctx := context.Background()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()

	send := func(category string) string {
		id, err := n.Send(ctx, notify.Notification{
			To:       notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
			Category: category, Content: notify.Content{Body: "20 % off"}, Route: notify.First(notify.EmailChannel),
		})
		if err != nil {
			panic(err)
		}
		status, err := n.Wait(ctx, id)
		if err != nil {
			panic(err)
		}
		fmt.Println(category, status.State)
		return id
	}
	id := send("offers")
	err = n.Report(ctx, notify.Report{Provider: "mail", MessageID: mail.Receipts(id)[0].MessageID, Event: notify.Unsubscribed{}})
	if err != nil {
		panic(err)
	}
	if err := n.Handled(ctx, id, "suppression"); err != nil { // it is on the list now
		panic(err)
	}
	send("offers")
	send("orders")
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	if err := <-ended; err != nil {
		panic(err)
	}
	// Output:
	// offers sent
	// offers suppressed
	// orders sent
}
