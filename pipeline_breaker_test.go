package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestTheBreakerOpensAndTheNextProviderTakesOver(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		one.Always(notifytest.FailTemporarily(notify.ClassService, "503"))
		two := notifytest.NewProvider[notify.Email]("two")
		notify.Use(b.Notifier, one, everySecond, func(c *notify.ProviderConfig) {
			c.BreakerFailures, c.BreakerCooldown, c.Attempts = 3, time.Minute, 10
		})
		notify.Use(b.Notifier, two)

		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.Count(3, notify.Sending{Attempt: notify.Attempt{Provider: "one"}}),
			notifytest.Once(notify.FailedOver{Reason: notify.EndUnavailable}),
			notifytest.Once(notify.Sent{Attempt: notify.Attempt{Provider: "two"}}),
		)
		b.Require("", notifytest.Once(notify.ProviderDown{Provider: "one", Channel: notify.EmailChannel}))
		require.True(t, b.Notifier.Stats(t.Context()).Providers[0].Down)

		// While it is open nobody calls the first one.
		id = b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.Once(notify.FailedOver{Reason: notify.EndUnavailable}),
			notifytest.Once(notify.Sending{Attempt: notify.Attempt{Provider: "two"}}),
			notifytest.Once(notify.Sending{}),
		)
		require.Len(t, one.Calls(), 3)

		// After the cooldown one call probes. It fails, and the breaker opens again.
		b.Pass(time.Minute)
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		require.Len(t, one.Calls(), 4)
		b.Require("", notifytest.Count(2, notify.ProviderDown{}), notifytest.Never(notify.ProviderUp{}))

		// The next probe succeeds.
		one.Always(notifytest.Succeed())
		b.Pass(time.Minute)
		id = b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Sent{Attempt: notify.Attempt{Provider: "one"}}), notifytest.Never(notify.FailedOver{}))
		b.Require("", notifytest.Once(notify.ProviderUp{Provider: "one", Channel: notify.EmailChannel}))
		require.False(t, b.Notifier.Stats(t.Context()).Providers[0].Down)
	})
}

// A service that answers is up, whatever it says.
func TestARefusalDoesNotOpenTheBreaker(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail, everySecond, func(c *notify.ProviderConfig) { c.BreakerFailures = 2 })
		for _, class := range []notify.FailureClass{
			notify.ClassAddress, notify.ClassContent, notify.ClassPolicy, notify.ClassAuth, notify.ClassConfig,
		} {
			mail.Next(notifytest.FailPermanently(class, "550"))
			b.Settle(b.Send(toAnna(notify.EmailChannel)))
		}
		mail.Next(notifytest.Throttle(time.Second), notifytest.Throttle(time.Second), notifytest.Throttle(time.Second))
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		b.Require("", notifytest.Never(notify.ProviderDown{}))
	})
}

func TestAnOpenBreakerOfTheOnlyWayMakesWorkWait(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		down := notifytest.FailTemporarily(notify.ClassNetwork, "refused")
		mail.Next(down, down)
		notify.Use(b.Notifier, mail, everySecond, func(c *notify.ProviderConfig) {
			c.BreakerFailures, c.BreakerCooldown = 2, time.Minute
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateSent), notifytest.Count(2, notify.Retrying{}), notifytest.Never(notify.Failed{}))
		waited := pauses(mail)
		require.Len(t, waited, 2)
		require.InDelta(t, time.Minute, waited[1], float64(time.Second), "the cooldown, and a moment for the probe")
		b.Require("", notifytest.Once(notify.ProviderUp{}))
	})
}

// A plan that has another leg goes on there at once.
func TestAnOpenBreakerGoesOnToTheNextLeg(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Next(notifytest.FailTemporarily(notify.ClassNetwork, "refused"))
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, push, everySecond, func(c *notify.ProviderConfig) {
			c.BreakerFailures, c.Attempts = 1, 1
		})
		notify.Use(b.Notifier, mail)
		route := []notify.Step{notify.PushChannel, notify.EmailChannel}
		b.Settle(b.Send(toAnna(route...)))

		id := b.Send(toAnna(route...))
		b.Settle(id)
		b.Require(id,
			notifytest.At(0, notify.Settled{State: notify.StateSent}),
			notifytest.Sequence(
				notify.Failed{Reason: notify.EndUnavailable, Attempt: notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.PushChannel}}},
				notify.FailedOver{Reason: notify.EndUnavailable}, notify.Sent{},
			),
		)
		require.Len(t, push.Calls(), 1)
	})
}
