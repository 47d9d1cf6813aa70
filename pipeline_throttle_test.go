package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// throttled is the first message of a provider, which asks for a pause.
func throttled(b *notifytest.Bench) string {
	id := b.Send(toAnna(notify.EmailChannel))
	b.Until(id, notify.Retrying{})
	b.Rest()
	return id
}

func TestRetryAfterHoldsBackTheProvider(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.Throttle(10 * time.Minute))
		notify.Use(b.Notifier, mail)
		text := notifytest.NewProvider[notify.SMS]("text")
		notify.Use(b.Notifier, text)
		began := time.Now()
		all := []string{throttled(b)}
		require.Equal(t, began.Add(10*time.Minute), b.Notifier.Stats(t.Context()).Providers[0].HeldUntil)
		for range 100 {
			all = append(all, b.Send(toAnna(notify.EmailChannel, notify.SMSChannel)))
		}
		quick := b.Send(toAnna(notify.SMSChannel))
		b.Settle(quick)
		b.Require(quick, notifytest.At(0, notify.Sent{}))
		b.Pass(10*time.Minute - time.Second)
		require.Len(t, mail.Calls(), 1)

		b.Settle(all...)
		require.Equal(t, 101, mail.Effects(), "they waited, and did not go on to the next leg")
		for _, c := range mail.Calls()[1:] {
			require.Equal(t, 10*time.Minute, c.At.Sub(began))
		}
		b.Require("", notifytest.Never(notify.Stuck{}), notifytest.Never(notify.ProviderDown{}))
		require.Zero(t, b.Notifier.Stats(t.Context()).Providers[0].HeldUntil)
	})
}

func TestAnotherProviderTakesOverWhileOneIsHeldBack(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		one.Next(notifytest.Throttle(10 * time.Minute))
		two := notifytest.NewProvider[notify.Email]("two")
		notify.Use(b.Notifier, one)
		notify.Use(b.Notifier, two)
		first := throttled(b)
		next := b.Send(toAnna(notify.EmailChannel))
		b.Settle(next)
		b.Require(next,
			notifytest.At(0, notify.Sent{Attempt: notify.Attempt{Provider: "two"}}),
			notifytest.Once(notify.FailedOver{Reason: notify.EndUnavailable}),
		)
		b.Settle(first)
		b.Require(first, notifytest.At(10*time.Minute, notify.Sent{Attempt: notify.Attempt{Provider: "one"}}))
	})
}

func TestAPauseIsClampedAndOnlyGrows(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.Throttle(24*time.Hour).After(time.Second), notifytest.Throttle(time.Second).After(2*time.Second))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.MaxRetryAfter = 5 * time.Minute })
		began := time.Now()
		all := []string{b.Send(toAnna(notify.EmailChannel)), b.Send(toAnna(notify.EmailChannel))}
		b.Pass(3 * time.Second)
		require.Equal(t, began.Add(time.Second+5*time.Minute), b.Notifier.Stats(t.Context()).Providers[0].HeldUntil)
		b.Settle(all...)
		require.Len(t, mail.Calls(), 4)
	})
}

// Turns that the rate limit granted for the time of the pause are not all taken
// at its end.
func TestAPauseKeepsTheRateLimit(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.Throttle(time.Minute).After(time.Millisecond))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Rate = 1 })
		var all []string
		for range 100 {
			all = append(all, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Settle(all...)
		calls := mail.Calls()
		require.Len(t, calls, 101)
		require.Equal(t, time.Minute, calls[1].At.Sub(calls[0].At).Truncate(time.Second))
		for i := 2; i < len(calls); i++ {
			require.GreaterOrEqual(t, calls[i].At.Sub(calls[i-1].At), 999*time.Millisecond, "call %d", i)
		}
	})
}

// A wait for a provider ends with the leg's budget, and another one takes over.
func TestAPauseBeyondTheBudgetEndsTheLeg(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Next(notifytest.Throttle(10 * time.Minute))
		notify.Use(b.Notifier, push)
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		b.Settle(b.Send(toAnna(notify.PushChannel)))
		id := b.Send(toAnna(notify.PushChannel, notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.At(2*time.Minute, notify.Failed{Reason: notify.EndBudget}),
			notifytest.Once(notify.Sent{Attempt: notify.Attempt{Provider: "mail"}}),
		)
	}, func(c *notify.Config) { c.Budgets.Channel = 2 * time.Minute })
}

// While it is held back nobody asks for the circuit breaker's probe.
func TestAPauseAndABreaker(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		down := notifytest.FailTemporarily(notify.ClassService, "503")
		mail.Next(down, notifytest.Throttle(10*time.Minute))
		notify.Use(b.Notifier, mail, everySecond, func(c *notify.ProviderConfig) {
			c.BreakerFailures, c.BreakerCooldown = 1, time.Minute
		})
		all := []string{b.Send(toAnna(notify.EmailChannel))}
		b.Pass(2 * time.Minute)
		require.Len(t, mail.Calls(), 2, "the second one probed")
		for range 5 {
			all = append(all, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Pass(5 * time.Minute)
		require.Len(t, mail.Calls(), 2)
		b.Settle(all...)
		require.Equal(t, 6, mail.Effects())
	})
}

// Nor is it asked what became of an attempt in doubt, also when it is too late
// for another call: to ask in vain would soon end the asking.
func TestAServiceThatAskedForAPauseIsNotAsked(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewAskableProvider[notify.Email]("mail")
		mail.Next(notifytest.LoseAnswer(), notifytest.Throttle(10*time.Minute))
		notify.Use(b.Notifier, mail)
		nt := toAnna(notify.EmailChannel)
		nt.ExpiresAt = time.Now().Add(time.Minute)
		lost := b.Send(nt)
		b.Until(lost, notify.Sending{})
		b.Rest()
		throttled(b)
		b.Pass(9 * time.Minute)
		require.Empty(t, mail.Asked())
		b.Settle(lost)
		require.Len(t, mail.Asked(), 1)
		b.Require(lost, notifytest.At(10*time.Minute, notify.Sent{}), notifytest.Never(notify.Stuck{}))
	})
}
