package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestNotBefore(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		nt := toAnna(notify.EmailChannel)
		nt.NotBefore = time.Now().Add(36 * time.Hour).Round(0).UTC()
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id,
			notifytest.Exactly(
				notify.Accepted{NotBefore: nt.NotBefore},
				notify.Delayed{Until: nt.NotBefore, Reason: notify.DelayScheduled},
				notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Sent{}, notify.Settled{},
			),
			notifytest.At(0, notify.Delayed{}),
			notifytest.At(36*time.Hour, notify.Sent{}),
		)
		require.Equal(t, 1, mail.Effects())
	})
}

func TestTheFarthestSchedule(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		nt := toAnna(notify.EmailChannel)
		nt.NotBefore = time.Now().Add(366 * 24 * time.Hour).Round(0).UTC()
		nt.ExpiresAt = nt.NotBefore.Add(366 * 24 * time.Hour)
		id := b.Send(nt)
		b.Until(id, notify.Delayed{Until: nt.NotBefore})
		b.Rest()
		require.Equal(t, notify.CancelDone, cancel(t, b, id))
		b.Settle(id)

		nt.NotBefore = nt.NotBefore.Add(time.Second)
		_, err := b.Notifier.Send(t.Context(), nt)
		require.ErrorContains(t, err, "NotBefore: has to be at most 366 days from now")
		nt.NotBefore = time.Time{}
		_, err = b.Notifier.Send(t.Context(), nt)
		require.ErrorContains(t, err, "ExpiresAt: has to be at most 366 days from now")
	})
}

// Nothing begins once its time is over: neither when a guard held it, nor
// between two attempts.
func TestItExpires(t *testing.T) {
	t.Run("before it is routed", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail")
			notify.Use(b.Notifier, mail)
			b.Notifier.Guard("night", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
				return notify.DelayUntil(req.Now.Add(8*time.Hour), "night"), nil
			})
			nt := toAnna(notify.EmailChannel)
			nt.ExpiresAt = time.Now().Add(time.Hour).Round(0).UTC()
			id := b.Send(nt)
			b.Settle(id)
			b.Require(id,
				notifytest.Exactly(
					notify.Accepted{ExpiresAt: nt.ExpiresAt}, notify.Delayed{}, notify.Expired{At: nt.ExpiresAt},
					notify.Settled{State: notify.StateExpired},
				),
				notifytest.At(time.Hour, notify.Expired{}),
			)
			require.Empty(t, mail.Calls())
		})
	})
	t.Run("while its provider is down", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail")
			mail.Always(notifytest.FailTemporarily(notify.ClassNetwork, "refused"))
			notify.Use(b.Notifier, mail, everySecond, func(c *notify.ProviderConfig) {
				c.BreakerFailures, c.BreakerCooldown = 1, 2*time.Hour
			})
			nt := toAnna(notify.EmailChannel)
			nt.ExpiresAt = time.Now().Add(time.Hour)
			id := b.Send(nt)
			b.Settle(id)
			b.Require(id,
				notifytest.State(notify.StateExpired),
				notifytest.Sequence(notify.Expired{Leg: notify.Leg{Leg: 1}}, notify.Settled{State: notify.StateExpired}),
				notifytest.Never(notify.Undeliverable{}),
			)
			require.Len(t, mail.Calls(), 1)
		})
	})
	t.Run("with a retry that would come too late", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail")
			mail.Always(notifytest.Throttle(10 * time.Minute))
			notify.Use(b.Notifier, mail)
			nt := toAnna(notify.EmailChannel)
			nt.ExpiresAt = time.Now().Add(5 * time.Minute)
			id := b.Send(nt)
			b.Settle(id)
			b.Require(id, notifytest.At(0, notify.Failed{Reason: notify.EndBudget}))
			require.Len(t, mail.Calls(), 1)
		})
	})
	t.Run("before Send", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail")
			notify.Use(b.Notifier, mail)
			nt := toAnna(notify.EmailChannel)
			nt.ExpiresAt = time.Now().Add(-time.Second)
			id := b.Send(nt)
			b.Settle(id)
			b.Require(id, notifytest.Exactly(notify.Accepted{}, notify.Expired{}, notify.Settled{State: notify.StateExpired}))
			require.Empty(t, mail.Calls())
		})
	})
}

// A provider is told when the message is not worth sending any more.
func TestTheDeadlineReachesTheProvider(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		expires := time.Now().Add(time.Hour)
		nt := toAnna(notify.EmailChannel)
		nt.ExpiresAt = expires
		b.Settle(b.Send(nt))
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		got := mail.Deliveries()
		require.True(t, got[0].ExpiresAt.Equal(expires))
		require.True(t, got[1].ExpiresAt.Equal(time.Now().Add(24*time.Hour)), "the message's budget")
	})
}
