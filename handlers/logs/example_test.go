package logs_test

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/logs"
)

// A record for every event, with one label. Here times and IDs are left out,
// since they differ each time.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch a.Key {
		case slog.TimeKey, "happened_at", "elapsed_seconds", "notification_id", "event_id":
			return slog.Attr{}
		}
		return a
	}}))
	n.Attach(logs.New(logger, func(c *logs.Config) { c.Labels = []string{"order"} }))
	notify.Use(n, mail(func(notify.Delivery[notify.Email]) (notify.Receipt, error) {
		return notify.Receipt{MessageID: "m_1", Code: "250"}, nil
	}))
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
		Labels:  map[string]string{"order": "A-1017"},
	})
	if err != nil {
		panic(err)
	}
	if _, err := n.Wait(ctx, id); err != nil {
		panic(err)
	}
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	// Output:
	// level=INFO msg=accepted recipient_id=u_42 channels=[email] labels.order=A-1017
	// level=INFO msg=routed recipient_id=u_42 channels=[email] labels.order=A-1017
	// level=INFO msg=rendered recipient_id=u_42 leg=1 channel=email bytes=32 labels.order=A-1017
	// level=INFO msg=sending recipient_id=u_42 leg=1 channel=email attempt=1 provider=smtp call=1 labels.order=A-1017
	// level=INFO msg=sent recipient_id=u_42 leg=1 channel=email attempt=1 provider=smtp message_id=m_1 code=250 final=true labels.order=A-1017
	// level=INFO msg=settled recipient_id=u_42 state=sent attempts=1 calls=1 labels.order=A-1017
}
