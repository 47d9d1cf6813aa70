package cache_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cache"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Whoever looks at a recipient's inbox after this sees what was sent.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	forget := cache.Func(func(_ context.Context, keys []string) error { // such as UNLINK of Redis
		fmt.Println("forget", keys)
		return nil
	})
	n.Attach(cache.New(forget, func(c *cache.Config) {
		c.Rules = []cache.Rule{
			cache.Keys(func(e notify.Event[notify.Sent]) []string { return []string{"inbox:" + e.RecipientID} }),
		}
	}))
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	})
	if err != nil {
		panic(err)
	}
	if _, err := n.Wait(ctx, id); err != nil {
		panic(err)
	}
	if err := n.Handled(ctx, id, "cache"); err != nil {
		panic(err)
	}
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	// Output: forget [inbox:u_42]
}
