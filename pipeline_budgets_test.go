package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestAttemptsOfAProviderAreBounded(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		one.Always(notifytest.FailTemporarily(notify.ClassThrottle, "busy"))
		two := notifytest.NewProvider[notify.Email]("two")
		two.Always(notifytest.FailTemporarily(notify.ClassThrottle, "full"))
		notify.Use(b.Notifier, one, everySecond, func(c *notify.ProviderConfig) { c.Attempts = 3 })
		notify.Use(b.Notifier, two, everySecond, func(c *notify.ProviderConfig) { c.Attempts = 1 })

		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)

		by := func(provider string, n int) notify.Attempt {
			return notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Provider: provider, Attempt: n}
		}
		full := notify.Failure{Verdict: notify.VerdictTemporary, Class: notify.ClassThrottle, Code: "full"}
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{},
			notify.Sending{Attempt: by("one", 1)}, notify.Retrying{Attempt: by("one", 1)},
			notify.Sending{Attempt: by("one", 2)}, notify.Retrying{Attempt: by("one", 2)},
			notify.Sending{Attempt: by("one", 3)},
			notify.FailedOver{From: by("one", 3), To: by("two", 4), Reason: notify.EndExhausted},
			notify.Sending{Attempt: by("two", 4)},
			notify.Failed{Attempt: by("two", 4), Reason: notify.EndExhausted, Failure: full},
			notify.Undeliverable{Reason: notify.UndeliverableExhausted, Failure: full},
			notify.Settled{State: notify.StateFailed, Attempts: 4, Calls: 4},
		))
		require.Equal(t, []time.Duration{time.Second, time.Second}, pauses(one))
	})
}

func TestBudgetOfAProvider(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		one.Always(notifytest.FailTemporarily(notify.ClassThrottle, "busy"))
		two := notifytest.NewProvider[notify.Email]("two")
		notify.Use(b.Notifier, one, func(c *notify.ProviderConfig) {
			c.Budget, c.Attempts = 10*time.Minute, 100
			c.Backoff = func(int) time.Duration { return 4 * time.Minute }
		})
		notify.Use(b.Notifier, two)

		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Once(notify.FailedOver{Reason: notify.EndBudget}),
			notifytest.At(8*time.Minute, notify.FailedOver{}),
		)
		require.Len(t, one.Calls(), 3, "at 0, 4 and 8 minutes")
	})
}

func TestBudgetOfAChannel(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Always(notifytest.FailTemporarily(notify.ClassThrottle, "busy"))
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, push, func(c *notify.ProviderConfig) {
			c.Attempts = 100
			c.Backoff = func(int) time.Duration { return 4 * time.Minute }
		})
		notify.Use(b.Notifier, mail)

		id := b.Send(toAnna(notify.PushChannel, notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Sequence(
				notify.Failed{Reason: notify.EndBudget}, notify.FailedOver{Reason: notify.EndBudget}, notify.Sent{},
			),
			notifytest.At(8*time.Minute, notify.Failed{}),
		)
	}, func(c *notify.Config) { c.Budgets.Channel = 10 * time.Minute })
}

func TestBudgetOfAMessage(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.FailTemporarily(notify.ClassThrottle, "busy"))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) {
			c.Attempts = 100
			c.Backoff = func(int) time.Duration { return 4 * time.Minute }
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateFailed),
			notifytest.At(8*time.Minute, notify.Failed{Reason: notify.EndBudget}),
			notifytest.Sequence(notify.Undeliverable{Reason: notify.UndeliverableExhausted}, notify.Settled{}),
		)
	}, func(c *notify.Config) { c.Budgets.Message = 10 * time.Minute })
}

// A night in which a guard holds a leg is no part of its budgets, and what is
// left of them goes on after it.
func TestAGuardsDelayCountsAgainstNoBudget(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		busy := notifytest.FailTemporarily(notify.ClassThrottle, "busy")
		mail.Always(busy)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) {
			c.Budget, c.Attempts = 30*time.Minute, 100
			c.Backoff = func(int) time.Duration { return 4 * time.Minute }
		})
		evening := time.Now().Add(6 * time.Minute)
		morning := evening.Add(8 * time.Hour)
		b.Notifier.Guard("night", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			if req.Now.After(evening) && req.Now.Before(morning) {
				return notify.DelayUntil(morning, "night"), nil
			}
			return notify.Allow(), nil
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Delayed{Leg: notify.Leg{Leg: 1}})
		b.Settle(id)
		// The attempts at 0 and 4 minutes, the guard's no at 8, when 2 of the 10
		// minutes are left, and one more in the morning.
		require.Len(t, mail.Calls(), 3)
		require.True(t, mail.Calls()[2].At.Equal(morning))
		b.Require(id, notifytest.Once(notify.Failed{Reason: notify.EndBudget}))
	}, func(c *notify.Config) { c.Budgets.Channel = 10 * time.Minute })
}

func TestAGuardsDelayCountsNotForAProvider(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		busy := notifytest.FailTemporarily(notify.ClassThrottle, "busy")
		mail.Next(busy, busy, busy)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { return time.Minute } })
		held := false
		b.Notifier.Guard("night", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			if req.Channel == "" || held {
				return notify.Allow(), nil
			}
			held = true
			return notify.DelayUntil(req.Now.Add(8*time.Hour), "night"), nil
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateSent), notifytest.Count(3, notify.Retrying{}))
	})
}
