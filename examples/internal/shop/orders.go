package shop

import (
	"context"

	"github.com/seed-6c01d079/notify"
)

// brokenPush stands for a push service whose registration has ended.
type brokenPush struct{}

func (brokenPush) Name() string { return "broken-push" }

func (brokenPush) Send(context.Context, notify.Delivery[notify.Push]) (notify.Receipt, error) {
	return notify.Receipt{}, &notify.SendError{
		Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "unregistered",
	}
}

// OrderPaid is an event of the host's own.
type OrderPaid struct {
	Order  string `json:"order"`
	Amount string `json:"amount"`
}

// registerOrders has each paid order answered with a notification. The event's
// ID as its key makes sure that an event which comes twice sends once.
func registerOrders(n *notify.Notifier, to string, sent chan<- string) {
	notify.RegisterEvent[OrderPaid](n, "shop.order_paid.v1")
	notify.On(n, "order-paid", func(ctx context.Context, e notify.Event[OrderPaid]) error {
		id, err := n.Send(ctx, notify.Notification{
			Key: e.ID,
			To: notify.Recipient{ID: "u_42", Name: "Ann", Addresses: map[notify.Channel]string{
				notify.EmailChannel: to,
			}},
			Content: notify.Content{Title: "Thank you", Body: "We received " + e.Data.Amount + " for order " + e.Data.Order + "."},
			Route:   notify.First(notify.EmailChannel),
		})
		if err != nil {
			return err
		}
		select {
		case sent <- id:
		default: // the event came twice
		}
		return nil
	}, func(o *notify.Observer) { o.Emits = []any{notify.Notification{}} })
}
