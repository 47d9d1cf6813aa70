package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestFirstGoesOnAfterAPermanentFailure(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Next(notifytest.FailPermanently(notify.ClassAddress, "410"))
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, push)
		notify.Use(b.Notifier, mail)

		id := b.Send(toAnna(notify.PushChannel, notify.EmailChannel))
		b.Settle(id)

		failure := notify.Failure{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "410"}
		onPush := notify.Leg{Leg: 1, Channel: notify.PushChannel}
		onMail := notify.Leg{Leg: 2, Channel: notify.EmailChannel}
		pushed := notify.Attempt{Leg: onPush, Attempt: 1, Provider: "push"}
		b.Require(id, notifytest.Exactly(
			notify.Accepted{},
			notify.Routed{Legs: []notify.Leg{onPush, onMail}},
			notify.Rendered{Leg: onPush},
			notify.Sending{Attempt: pushed, Call: 1},
			notify.AddressInvalid{Attempt: pushed, Code: "410"},
			notify.Failed{Attempt: pushed, Reason: notify.EndRejected, Failure: failure},
			notify.FailedOver{From: pushed, To: notify.Attempt{Leg: onMail}, Reason: notify.EndRejected, Failure: failure},
			notify.Rendered{Leg: onMail},
			notify.Sending{Attempt: notify.Attempt{Leg: onMail, Attempt: 1, Provider: "mail"}},
			notify.Sent{Attempt: notify.Attempt{Leg: onMail, Attempt: 1, Provider: "mail"}},
			notify.Settled{State: notify.StateSent, Attempts: 2, Calls: 2},
		))
		status, err := b.Notifier.Status(t.Context(), id)
		require.NoError(t, err)
		require.Len(t, status.Legs, 2)
		require.Equal(t, notify.EndRejected, status.Legs[0].Reason)
		require.Equal(t, failure, status.Legs[0].Attempts[0].Failure)
	})
}

func TestTheNextProviderOfAChannelTakesOver(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		one.Always(notifytest.FailPermanently(notify.ClassAuth, "535"))
		two := notifytest.NewProvider[notify.Email]("two")
		notify.Use(b.Notifier, one)
		notify.Use(b.Notifier, two)

		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)

		leg := notify.Leg{Leg: 1, Channel: notify.EmailChannel}
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{},
			notify.Sending{Attempt: notify.Attempt{Leg: leg, Attempt: 1, Provider: "one"}},
			notify.FailedOver{
				From:   notify.Attempt{Leg: leg, Attempt: 1, Provider: "one"},
				To:     notify.Attempt{Leg: leg, Attempt: 2, Provider: "two"},
				Reason: notify.EndRejected,
				Failure: notify.Failure{
					Verdict: notify.VerdictPermanent, Class: notify.ClassAuth, Code: "535",
				},
			},
			notify.Sending{Attempt: notify.Attempt{Leg: leg, Attempt: 2, Provider: "two"}},
			notify.Sent{Attempt: notify.Attempt{Leg: leg, Attempt: 2, Provider: "two"}},
			notify.Settled{State: notify.StateSent, Attempts: 2, Calls: 2},
		))
		require.Equal(t, one.Deliveries()[0].Message, two.Deliveries()[0].Message, "rendered once")
		require.NotEqual(t, one.Keys(), two.Keys())
	})
}

// What is wrong with the message or its recipient, another provider of the
// channel would refuse too.
func TestNoOtherProviderIsTriedWithWhatIsWrongItself(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		two := notifytest.NewProvider[notify.Email]("two")
		notify.Use(b.Notifier, one)
		notify.Use(b.Notifier, two)
		for _, class := range []notify.FailureClass{notify.ClassAddress, notify.ClassContent, notify.ClassPolicy} {
			one.Next(notifytest.FailPermanently(class, "550"))
			id := b.Send(toAnna(notify.EmailChannel))
			b.Settle(id)
			b.Require(id,
				notifytest.State(notify.StateFailed),
				notifytest.Once(notify.Failed{Reason: notify.EndRejected}),
				notifytest.Once(notify.Undeliverable{Reason: notify.UndeliverableExhausted}),
				notifytest.Never(notify.FailedOver{}),
			)
		}
		require.Empty(t, two.Calls())
	})
}

func TestARetryWaitsForItsBackoff(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		refused := notifytest.FailTemporarily(notify.ClassService, "451")
		mail.Next(refused, refused, notifytest.Succeed())
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) {
			c.Backoff = func(n int) time.Duration { return time.Duration(n) * time.Minute }
		})

		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)

		failure := notify.Failure{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "451"}
		b.Require(id,
			notifytest.Exactly(
				notify.Accepted{}, notify.Routed{}, notify.Rendered{},
				notify.Sending{Attempt: notify.Attempt{Attempt: 1}},
				notify.Retrying{Attempt: notify.Attempt{Attempt: 1}, Failure: failure, Call: 1},
				notify.Sending{Attempt: notify.Attempt{Attempt: 2}},
				notify.Retrying{Attempt: notify.Attempt{Attempt: 2}, Failure: failure, Call: 1},
				notify.Sending{Attempt: notify.Attempt{Attempt: 3}},
				notify.Sent{Attempt: notify.Attempt{Attempt: 3}},
				notify.Settled{Attempts: 3, Calls: 3},
			),
			notifytest.Never(notify.Retrying{SameAttempt: true}),
			notifytest.At(0, notify.Retrying{}),
			notifytest.At(time.Minute, notify.Sending{Attempt: notify.Attempt{Attempt: 2}}),
			notifytest.At(3*time.Minute, notify.Sending{Attempt: notify.Attempt{Attempt: 3}}),
		)
		keys := mail.Keys()
		require.NotEqual(t, keys[0], keys[1], "a new attempt has a new key")
		require.NotEqual(t, keys[1], keys[2])
	})
}

func TestRetryAfterIsHonouredAndClamped(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(
			notifytest.Throttle(90*time.Second), // longer than the backoff
			notifytest.Throttle(2*time.Second),  // shorter than it
			notifytest.Throttle(3*time.Hour),    // longer than allowed
		)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) {
			c.Backoff = func(int) time.Duration { return 10 * time.Second }
			c.MaxRetryAfter = 5 * time.Minute
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)

		b.Require(id, notifytest.Count(3, notify.Retrying{
			Failure: notify.Failure{Verdict: notify.VerdictThrottled, Class: notify.ClassThrottle},
		}))
		require.Equal(t, []time.Duration{90 * time.Second, 10 * time.Second, 5 * time.Minute}, pauses(mail))
	})
}

// pauses are the times between a provider's calls.
func pauses[M notify.Message](p *notifytest.Provider[M]) []time.Duration {
	var all []time.Duration
	calls := p.Calls()
	for i := 1; i < len(calls); i++ {
		all = append(all, calls[i].At.Sub(calls[i-1].At))
	}
	return all
}

func TestAllSendsOnEveryChannel(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.Succeed().After(time.Second))
		text := notifytest.NewProvider[notify.SMS]("text")
		text.Always(notifytest.FailPermanently(notify.ClassAddress, "21211"))
		chat := notifytest.NewProvider[notify.Chat]("chat")
		chat.Always(notifytest.Succeed().After(time.Second))
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, text)
		notify.Use(b.Notifier, chat)

		nt := toAnna()
		nt.Route = notify.All(notify.EmailChannel, notify.SMSChannel, notify.ChatChannel)
		id := b.Send(nt)
		b.Settle(id)

		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Once(notify.Failed{Attempt: notify.Attempt{Leg: notify.Leg{Leg: 2}}}),
			notifytest.Count(2, notify.Sent{}),
			notifytest.Never(notify.FailedOver{}),
			notifytest.Never(notify.Undeliverable{}),
			notifytest.At(time.Second, notify.Settled{Attempts: 3}), // side by side
		)
	})
}

func TestAllFailsWhenEveryLegHas(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.FailPermanently(notify.ClassPolicy, "spam"))
		text := notifytest.NewProvider[notify.SMS]("text")
		text.Always(notifytest.FailPermanently(notify.ClassAddress, "21211"))
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, text)

		nt := toAnna()
		nt.Route = notify.All(notify.EmailChannel, notify.SMSChannel)
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateFailed),
			notifytest.Count(2, notify.Failed{}),
			notifytest.Once(notify.Undeliverable{Reason: notify.UndeliverableExhausted}),
			notifytest.Sequence(notify.Undeliverable{}, notify.Settled{State: notify.StateFailed}),
		)
	})
}

// First(All(push, chat), First(sms, mail)): the second step starts only when
// all of the first has failed.
func TestNestedRoutes(t *testing.T) {
	refused := notifytest.FailPermanently(notify.ClassAddress, "no")
	for _, test := range []struct {
		name                 string
		pushFails, chatFails bool
		textFails            bool
		effects              map[string]int
		state                notify.State
		failedOver           int
	}{
		{"all goes well", false, false, false, map[string]int{"push": 1, "chat": 1}, notify.StateSent, 0},
		{"one of two", true, false, false, map[string]int{"chat": 1}, notify.StateSent, 0},
		{"none of two", true, true, false, map[string]int{"text": 1}, notify.StateSent, 1},
		{"the last", true, true, true, map[string]int{"mail": 1}, notify.StateSent, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
				push := notifytest.NewProvider[notify.Push]("push")
				chat := notifytest.NewProvider[notify.Chat]("chat")
				text := notifytest.NewProvider[notify.SMS]("text")
				mail := notifytest.NewProvider[notify.Email]("mail")
				notify.Use(b.Notifier, push)
				notify.Use(b.Notifier, chat)
				notify.Use(b.Notifier, text)
				notify.Use(b.Notifier, mail)
				if test.pushFails {
					push.Always(refused)
				}
				if test.chatFails {
					chat.Always(refused.After(time.Second))
				}
				if test.textFails {
					text.Always(refused)
				}
				id := b.Send(toAnna(
					notify.All(notify.PushChannel, notify.ChatChannel),
					notify.First(notify.SMSChannel, notify.EmailChannel),
				))
				b.Settle(id)
				b.Require(id,
					notifytest.State(test.state),
					notifytest.Count(test.failedOver, notify.FailedOver{}),
				)
				effects := map[string]int{}
				for name, n := range map[string]int{
					"push": push.Effects(), "chat": chat.Effects(), "text": text.Effects(), "mail": mail.Effects(),
				} {
					if n > 0 {
						effects[name] = n
					}
				}
				require.Equal(t, test.effects, effects)
			})
		})
	}
}
