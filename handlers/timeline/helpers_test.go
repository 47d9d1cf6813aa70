package timeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

var (
	email = notify.Leg{Leg: 1, Channel: notify.EmailChannel}
	smtp  = notify.Attempt{Leg: email, Attempt: 1, Provider: "smtp"}
)

// event makes an event of notification id, some time after noon.
func event(id, name string, after time.Duration, data any) notify.Event[any] {
	return notify.Event[any]{
		Envelope: notify.Envelope{
			ID: id + "/" + name, Type: "notify." + name + ".v1", NotificationID: id, RecipientID: "u_1", Tenant: "shop",
			Time: noon.Add(after),
		},
		Data: data,
	}
}

func accepted(id string, after time.Duration) notify.Event[any] {
	return event(id, "accepted", after, notify.Accepted{})
}

func settled(id string, after time.Duration) notify.Event[any] {
	return event(id, "settled", after, notify.Settled{})
}

func clicked(id string, n int) notify.Event[any] {
	return event(id, fmt.Sprint("clicked", n), time.Hour, notify.Clicked{Engagement: notify.Engagement{Attempt: smtp}})
}

// mail sends mails by a func.
type mail func(call int) (notify.Receipt, error)

func (mail) Name() string { return "smtp" }

func (m mail) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return m(d.Call)
}

func take(int) (notify.Receipt, error) { return notify.Receipt{MessageID: "m_1"}, nil }

// start runs a Notifier that sends mails; stop ends it.
func start(t *testing.T, provider mail, attach ...notify.Attacher) (n *notify.Notifier, stop func()) {
	t.Helper()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	notify.Use(n, provider)
	n.Attach(attach...)
	ended := make(chan error, 1)
	go func() { ended <- n.Run(t.Context()) }()
	require.NoError(t, n.Ready(t.Context()))
	return n, func() {
		t.Helper()
		require.NoError(t, n.Close(t.Context()))
		require.NoError(t, <-ended)
	}
}

func shipped() notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
		Tenant:  "shop", Category: "shipping", Labels: map[string]string{"order": "A-1017"},
	}
}

// wait returns the status of the notification when it has settled.
func wait(t *testing.T, n *notify.Notifier, id string) notify.Status {
	t.Helper()
	s, err := n.Wait(t.Context(), id)
	require.NoError(t, err)
	s.AcceptedAt, s.SettledAt = s.AcceptedAt.UTC(), s.SettledAt.UTC()
	return s
}
