package notify_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestSend(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.SucceedWith(notify.Receipt{
			MessageID: "m-1", Code: "250 2.0.0", Cost: notify.Cost{Micros: 100, Currency: "EUR"},
		}))
		notify.Use(b.Notifier, mail)

		nt := toAnna(notify.EmailChannel)
		nt.Tenant, nt.Category, nt.Labels = "acme", "orders", map[string]string{"order": "o-1"}
		id := b.Send(nt)
		b.Settle(id)

		only := notify.Leg{Leg: 1, Channel: notify.EmailChannel}
		first := notify.Attempt{Leg: only, Attempt: 1, Provider: "mail"}
		b.Require(id, notifytest.Exactly(
			notify.Accepted{Route: nt.Route},
			notify.Routed{Plan: nt.Route, Legs: []notify.Leg{only}},
			notify.Rendered{Leg: only, Bytes: len(nt.Content.Title + nt.Content.Body)},
			notify.Sending{Attempt: first, Call: 1},
			notify.Sent{
				Attempt: first, MessageID: "m-1", Code: "250 2.0.0", Final: true,
				Cost: notify.Cost{Micros: 100, Currency: "EUR"},
			},
			notify.Settled{State: notify.StateSent, Attempts: 1, Calls: 1},
		))
		for _, e := range b.Events(id) {
			require.Equal(t, "anna", e.RecipientID)
			require.Equal(t, "acme", e.Tenant)
			require.Equal(t, "orders", e.Category)
			require.Equal(t, nt.Labels, e.Labels)
			require.NotContains(t, e.ID, "anna@example.com")
		}
		require.Equal(t, 1, mail.EffectsOf(id))
		got := mail.Deliveries()[0]
		require.Equal(t, notify.Email{
			To: "anna@example.com", ToName: "Anna", Subject: "Shipped", Text: "Your order is on its way.",
		}, got.Message)
		require.Equal(t, id, got.NotificationID)
		require.Equal(t, "acme", got.Tenant)
		require.Equal(t, "orders", got.Category)
		require.Equal(t, 1, got.Call)
	})
}
