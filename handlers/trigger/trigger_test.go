package trigger_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/trigger"
	"github.com/seed-6c01d079/notify/notifytest"
)

var errLater = errors.New("not yet")

func by(channel notify.Channel) notify.Notification {
	return notify.Notification{
		To: notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann@example.com", notify.SMSChannel: "+4930123456",
		}},
		Content: notify.Content{Title: "Shipped", Body: "On its way."}, Route: notify.First(channel),
	}
}

// providers are e-mail, which fails for good, and text messages.
func providers(n *notify.Notifier) (mail *notifytest.Provider[notify.Email], text *notifytest.Provider[notify.SMS]) {
	mail, text = notifytest.NewProvider[notify.Email]("mail"), notifytest.NewProvider[notify.SMS]("text")
	mail.Always(notifytest.FailPermanently(notify.ClassAddress, "550"))
	notify.Use(n, mail)
	notify.Use(n, text)
	return mail, text
}

// twice has every event handled twice, as after a crash.
func twice(c *trigger.Config) {
	handlers := c.Handlers
	c.Handlers = append(handlers, handlers...)
}

// An event sends one notification, however often it comes, which says what
// caused it.
func TestNotification(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		_, text := providers(b.Notifier)
		var mu sync.Mutex
		var sent []notify.Event[notify.Accepted]
		notify.On(b.Notifier, "sent", func(_ context.Context, e notify.Event[notify.Accepted]) error {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, e)
			return nil
		})
		body := "one"
		b.Notifier.Attach(trigger.Notification("text-instead", func(_ context.Context, e notify.Event[notify.Undeliverable]) (notify.Notification, bool, error) {
			nt := by(notify.SMSChannel)
			nt.Content.Body = body
			body = "another" // as things are when the event comes again
			return nt, e.Tenant == "acme", nil
		}, twice))
		nt := by(notify.EmailChannel)
		nt.Tenant = "acme"
		first := b.Send(nt)
		b.Settle(first, b.Send(by(notify.EmailChannel)))
		b.Rest()
		require.Len(t, text.Deliveries(), 1, "only of that tenant's, and once")
		require.Equal(t, "one", text.Deliveries()[0].Message.Text)
		require.Equal(t, "acme", text.Deliveries()[0].Tenant)
		var answer notify.Event[notify.Accepted]
		for _, e := range sent {
			if e.CausationID != "" {
				answer = e
			}
		}
		require.Contains(t, answer.CausationID, first)
		require.Equal(t, 1, answer.Depth)
		letters, err := b.Notifier.DeadLetters(t.Context(), "text-instead", "", 0)
		require.NoError(t, err)
		require.Empty(t, letters)
		o, _ := b.Notifier.Topology().Observer("text-instead")
		require.True(t, o.Sends.Declared)
	})
}

// Notifications that answer each other's events come to an end.
func TestHops(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		mail, _ := providers(b.Notifier)
		b.Notifier.Attach(trigger.Notification("again", func(context.Context, notify.Event[notify.Undeliverable]) (notify.Notification, bool, error) {
			return by(notify.EmailChannel), true, nil
		}, func(c *trigger.Config) { c.MaxHops = 3 }))
		b.Settle(b.Send(by(notify.EmailChannel)))
		b.Rest()
		require.Len(t, mail.Deliveries(), 1+3)
		letters, err := b.Notifier.DeadLetters(t.Context(), "again", "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Contains(t, letters[0].Error, "do two triggers answer each other?")
		require.Equal(t, 1, letters[0].Attempts)
	})
}

// An alert of a dead letter may become one itself, of an observer that can handle
// neither: that chain ends too.
func TestAlertsOfAlertsEnd(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		_, text := providers(b.Notifier)
		notify.On(b.Notifier, "broken", func(_ context.Context, e notify.Event[any]) error {
			if _, accepted := e.Data.(notify.Accepted); accepted {
				return notify.Permanent(errLater)
			}
			return nil
		})
		alerts := 0
		b.Notifier.Attach(trigger.Notification("alert", func(_ context.Context, e notify.Event[notify.DeadLettered]) (notify.Notification, bool, error) {
			alerts++
			return by(notify.SMSChannel), alerts < 100, nil
		}))
		b.Settle(b.Send(by(notify.EmailChannel)))
		b.Rest()
		// The hops are accepted, its dead letter, the alert, its dead letter, ...
		require.Len(t, text.Deliveries(), 4)
	})
}

// A process gets the same key each time, and one that fails gets another try.
func TestProcess(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		providers(b.Notifier)
		var keys []string
		b.Notifier.Attach(trigger.Process("ticket", func(_ context.Context, key string, e notify.Event[notify.Undeliverable]) error {
			keys = append(keys, key)
			if len(keys) == 1 {
				return errLater
			}
			return nil
		}))
		id := b.Send(by(notify.EmailChannel))
		b.Settle(id)
		b.Pass(time.Minute)
		require.Len(t, keys, 2)
		require.Equal(t, keys[0], keys[1])
		require.True(t, strings.HasPrefix(keys[0], "ticket/"+id), keys[0])
	})
}

// The IDs of events in a long chain outgrow what a key may have.
func TestKeysOfLongIDs(t *testing.T) {
	t.Parallel()
	type order struct{ N int }
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		_, text := providers(b.Notifier)
		notify.RegisterEvent[order](b.Notifier, "shop.order.v1")
		b.Notifier.Attach(trigger.Notification("text", func(context.Context, notify.Event[order]) (notify.Notification, bool, error) {
			return by(notify.SMSChannel), true, nil
		}, twice))
		b.Start()
		for _, end := range []string{"a", "b"} {
			_, err := notify.Emit(t.Context(), b.Notifier, order{}, func(e *notify.Envelope) { e.ID = strings.Repeat("i", 254) + end })
			require.NoError(t, err)
		}
		b.Rest()
		require.Len(t, text.Deliveries(), 2)
	})
}

// One cannot send for two Notifiers.
func TestOneNotifier(t *testing.T) {
	t.Parallel()
	tr := trigger.Notification("again", func(context.Context, notify.Event[notify.Sent]) (notify.Notification, bool, error) {
		return by(notify.SMSChannel), true, nil
	})
	var all []*notify.Notifier
	for range 2 {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(tr)
		all = append(all, n)
	}
	require.ErrorContains(t, all[1].Run(t.Context()), `trigger("again"): is attached to another Notifier`)
	for _, n := range all {
		require.NoError(t, n.Close(t.Context()))
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, notify.Event[notify.Sent]) (notify.Notification, bool, error) {
		return notify.Notification{}, true, nil
	}
	for problem, tr := range map[string]*trigger.Trigger{
		`trigger("a"): the function is nil`:    trigger.Notification[notify.Sent]("a", nil),
		`trigger("b"): the function is nil`:    trigger.Process[notify.Sent]("b", nil),
		`trigger("c").MaxHops: must be from 0`: trigger.Notification("c", nothing, func(c *trigger.Config) { c.MaxHops = 32 }),
	} {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(tr)
		_, err = n.Send(context.Background(), by(notify.EmailChannel))
		require.ErrorContains(t, err, problem)
		require.NoError(t, n.Close(context.Background()))
	}
	// A notification that is wrong is wrong each time.
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		providers(b.Notifier)
		b.Notifier.Attach(trigger.Notification("wrong", func(context.Context, notify.Event[notify.Undeliverable]) (notify.Notification, bool, error) {
			return notify.Notification{}, true, nil
		}))
		b.Settle(b.Send(by(notify.EmailChannel)))
		b.Rest()
		letters, err := b.Notifier.DeadLetters(t.Context(), "wrong", "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Equal(t, 1, letters[0].Attempts)
	})
}
