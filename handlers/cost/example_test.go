package cost_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Text messages are priced by country and segment, and the tenant may spend ten
// cents a month.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	notify.Use(n, notifytest.NewProvider[notify.SMS]("carrier"))
	prices, err := cost.ReadBook(strings.NewReader(`{
	  "currency": "EUR",
	  "messages": [
	    {"channel": "sms", "country": "AT", "per_segment": "0.07"},
	    {"channel": "sms", "per_segment": "0.09"}
	  ]
	}`))
	if err != nil {
		panic(err)
	}
	ledger := cost.New(cost.NewMemory(), prices, func(c *cost.Config) {
		c.Budgets = []cost.Budget{{EachTenant: true, Limit: notify.Cost{Micros: 100_000, Currency: "EUR"}}}
	})
	n.Attach(ledger)
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	for range 2 {
		id, err := n.Send(ctx, notify.Notification{
			Tenant: "shop", Content: notify.Content{Body: "Your order is on its way."}, Route: notify.First(notify.SMSChannel),
			To: notify.Recipient{Addresses: map[notify.Channel]string{notify.SMSChannel: "+4366412345678"}},
		})
		if err != nil {
			panic(err)
		}
		status, err := n.Wait(ctx, id)
		if err != nil {
			panic(err)
		}
		if err := n.Handled(ctx, id, "cost"); err != nil {
			panic(err)
		}
		fmt.Println(status.State)
	}
	report, err := ledger.Month(ctx, cost.Query{Tenant: "shop", By: cost.ByCountry})
	if err != nil {
		panic(err)
	}
	for _, line := range report.Lines {
		fmt.Printf("%s: %d message, %d millionths %s\n", line.Value, line.Messages, line.Micros, line.Currency)
	}
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	// Output:
	// sent
	// suppressed
	// AT: 1 message, 70000 millionths EUR
}
