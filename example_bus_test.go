package notify_test

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify"
)

// OrderPaid is an event of the host's own.
type OrderPaid struct {
	Order string `json:"order"`
}

// OrderShipped is raised by an observer of OrderPaid.
type OrderShipped struct {
	Order string `json:"order"`
}

// A host's own events travel on the same bus: an observer may answer one with
// another, which then knows its cause.
func Example_events() {
	n, err := notify.New(notify.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	notify.RegisterEvent[OrderPaid](n, "shop.order_paid.v1")
	notify.RegisterEvent[OrderShipped](n, "shop.order_shipped.v1")
	notify.On(n, "warehouse", func(ctx context.Context, e notify.Event[OrderPaid]) error {
		_, err := notify.Emit(ctx, n, OrderShipped(e.Data))
		return err
	}, func(o *notify.Observer) { o.Emits = []any{OrderShipped{}} })
	notify.On(n, "mail", func(_ context.Context, e notify.Event[OrderShipped]) error {
		fmt.Println("shipped", e.Data.Order, "because of", e.CausationID)
		return nil
	})

	ctx := context.Background()
	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		fmt.Println(err)
	}
	_, err = notify.Emit(ctx, n, OrderPaid{Order: "4711"}, func(e *notify.Envelope) { e.ID = "payment-1" })
	if err != nil {
		fmt.Println(err)
	}
	if err := n.Close(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: shipped 4711 because of payment-1
}
