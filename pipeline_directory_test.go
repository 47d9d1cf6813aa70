package notify_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func knows(lookup notify.DirectoryFunc) func(*notify.Config) {
	return func(c *notify.Config) { c.Directory = lookup }
}

func toUser(id string) notify.Notification {
	nt := toAnna(notify.SMSChannel, notify.EmailChannel)
	nt.To = notify.User(id)
	return nt
}

func TestTheDirectoryCompletesTheRecipient(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, notifytest.NewProvider[notify.SMS]("text"))
		id := b.Send(toUser("u_42"))
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Routed{Rejected: []notify.Rejected{
			{Channel: notify.SMSChannel, Reason: notify.RejectNoAddress},
		}}))
		got := mail.Deliveries()[0].Message
		require.Equal(t, "u_42@example.com", got.To)
		require.Equal(t, "User u_42", got.ToName)
		for _, e := range b.Events(id) {
			require.Equal(t, "u_42", e.RecipientID)
		}
	}, knows(func(_ context.Context, id string) (notify.Recipient, error) {
		return notify.Recipient{
			Name: "User " + id, Addresses: map[notify.Channel]string{notify.EmailChannel: id + "@example.com"},
		}, nil
	}))
}

func TestARecipientThatNobodyKnows(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.Use(b.Notifier, notifytest.NewProvider[notify.SMS]("text"))
		id := b.Send(toUser("u_404"))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Undeliverable{Reason: notify.UndeliverableNoRecipient},
			notify.Settled{State: notify.StateFailed},
		))
	}, knows(func(_ context.Context, id string) (notify.Recipient, error) {
		return notify.Recipient{}, fmt.Errorf("user %s: %w", id, notify.ErrNotFound)
	}))
}

func TestWhatTheDirectorySaysIsChecked(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.Use(b.Notifier, notifytest.NewProvider[notify.SMS]("text"))
		id := b.Send(toUser("u_42"))
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Undeliverable{
			Reason: notify.UndeliverableNoRoute,
			Rejected: []notify.Rejected{
				{Channel: notify.SMSChannel, Reason: notify.RejectNoAddress},
				{Channel: notify.EmailChannel, Reason: notify.RejectBadAddress},
			},
		}))
	}, knows(func(context.Context, string) (notify.Recipient, error) {
		return notify.Recipient{Addresses: map[notify.Channel]string{notify.EmailChannel: "x@y.example\r\nBcc: all@example.com"}}, nil
	}))
}

func TestADirectoryThatRecovers(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				text := notifytest.NewProvider[notify.SMS]("text")
				notify.Use(b.Notifier, text)
				notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
				id := b.Send(toUser("u_42"))
				b.Settle(id)
				b.Require(id, notifytest.State(notify.StateSent), notifytest.Once(notify.Accepted{}))
				require.EqualValues(t, 9, asked.Load())
				require.Equal(t, 1, text.Effects())
			}, form.config, knows(func(context.Context, string) (notify.Recipient, error) {
				if asked.Add(1) <= 8 {
					return notify.Recipient{}, errors.New("no connection")
				}
				return anna(), nil
			}))
		})
	}
}

func TestADirectoryThatDoesNotRecover(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		text := notifytest.NewProvider[notify.SMS]("text")
		notify.Use(b.Notifier, text)
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		nt := toUser("u_42")
		nt.ExpiresAt = time.Now().Add(time.Hour)
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateExpired), notifytest.Never(notify.Routed{}))
		require.Empty(t, text.Calls())
	}, knows(func(context.Context, string) (notify.Recipient, error) {
		return notify.Recipient{}, errors.New("no connection")
	}))
}
