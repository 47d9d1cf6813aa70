package notify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// keyed is a service that honours keys for an hour.
func keyed(c *notify.Capabilities) { c.KeyWindow = time.Hour }

// inDoubt are the ways in which a call to a provider has no answer.
var inDoubt = map[string]notifytest.Outcome{
	"lost answer":     notifytest.LoseAnswer(),
	"lost call":       notifytest.LoseCall(),
	"hangs":           notifytest.Hang(),
	"hangs, arrived":  notifytest.Hang().Arrived(),
	"plain error":     notifytest.PlainError("something is wrong"),
	"panics":          notifytest.Panic("oh"),
	"panics, arrived": notifytest.Panic("oh").Arrived(),
}

func TestAnUnkeyedCallWithoutAnAnswerIsUnknown(t *testing.T) {
	for name, outcome := range inDoubt {
		t.Run(name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				one := notifytest.NewProvider[notify.Email]("one")
				one.Always(outcome)
				two := notifytest.NewProvider[notify.Email]("two")
				text := notifytest.NewProvider[notify.SMS]("text")
				notify.Use(b.Notifier, one)
				notify.Use(b.Notifier, two)
				notify.Use(b.Notifier, text)

				id := b.Send(toAnna(notify.EmailChannel, notify.SMSChannel))
				b.Settle(id)
				b.Require(id, notifytest.Exactly(
					notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Sending{},
					notify.Unknown{
						Attempt: notify.Attempt{Provider: "one", Attempt: 1},
						Failure: notify.Failure{Verdict: notify.VerdictUncertain},
					},
					notify.Settled{State: notify.StateUnknown, Attempts: 1, Calls: 1},
				))
				require.Len(t, one.Calls(), 1, "never repeated blindly")
				require.Empty(t, two.Calls(), "nor by another provider")
				require.Empty(t, text.Calls(), "nor on another channel")
			})
		})
	}
}

func TestOnDoubtGoesOnToTheNextChannel(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Always(notifytest.LoseCall())
		other := notifytest.NewProvider[notify.Push]("other")
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, push)
		notify.Use(b.Notifier, other)
		notify.Use(b.Notifier, mail)

		nt := toAnna()
		nt.Route = notify.First(notify.PushChannel, notify.EmailChannel).OnDoubt()
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Sequence(notify.Unknown{}, notify.FailedOver{Reason: notify.EndInDoubt}, notify.Sent{}),
			notifytest.Never(notify.Failed{}),
		)
		require.Empty(t, other.Calls(), "never another provider of the same channel")
	})
}

func TestOnDoubtWithNothingLeftIsUnknown(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Always(notifytest.LoseCall())
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.FailPermanently(notify.ClassAddress, "550"))
		notify.Use(b.Notifier, push)
		notify.Use(b.Notifier, mail)

		nt := toAnna()
		nt.Route = notify.First(notify.PushChannel, notify.EmailChannel).OnDoubt()
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateUnknown), notifytest.Never(notify.Undeliverable{}))
	})
}

func TestResendInDoubt(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.LoseAnswer())
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.ResendInDoubt = true })

		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateSent), notifytest.Sequence(notify.Unknown{}, notify.Sending{}, notify.Sent{}))
		require.Equal(t, 2, mail.EffectsOf(id), "which is what was opted for")
		keys := mail.Keys()
		require.NotEqual(t, keys[0], keys[1])
	})
}

// A keyed provider is called again under the same key with the same message,
// and the recipient gets one.
func TestAKeyedCallWithoutAnAnswerIsRepeated(t *testing.T) {
	for name, outcome := range inDoubt {
		t.Run(name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewProvider[notify.Email]("mail", keyed)
				mail.Next(outcome, outcome)
				rendered := 0
				notify.Render(b.Notifier, func(_ context.Context, req notify.RenderRequest) (notify.Email, error) {
					rendered++ // a second rendering would differ
					return notify.Email{To: req.Address, Subject: "Shipped", Text: string(rune('0' + rendered))}, nil
				})
				notify.Use(b.Notifier, mail, everySecond)

				id := b.Send(toAnna(notify.EmailChannel))
				b.Settle(id)
				b.Require(id,
					notifytest.State(notify.StateSent),
					notifytest.Exactly(
						notify.Accepted{}, notify.Routed{}, notify.Rendered{},
						notify.Sending{Call: 1}, notify.Retrying{Call: 1, SameAttempt: true},
						notify.Sending{Call: 2}, notify.Retrying{Call: 2, SameAttempt: true},
						notify.Sending{Call: 3}, notify.Sent{Attempt: notify.Attempt{Attempt: 1}},
						notify.Settled{Attempts: 1, Calls: 3},
					),
				)
				keys := mail.Keys()
				require.Equal(t, []string{keys[0], keys[0], keys[0]}, keys)
				require.Equal(t, 1, mail.EffectsOf(id))
				for _, d := range mail.Deliveries() {
					require.Equal(t, "1", d.Message.Text)
				}
			})
		})
	}
}

// After a lost answer neither a temporary nor a permanent one proves that the
// first call had no effect.
func TestAnAnswerToARepeatProvesNothingAboutTheFirstCall(t *testing.T) {
	t.Run("temporary", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail", keyed)
			mail.Next(notifytest.LoseAnswer(), notifytest.FailTemporarily(notify.ClassService, "503"))
			notify.Use(b.Notifier, mail, everySecond)
			id := b.Send(toAnna(notify.EmailChannel))
			b.Settle(id)
			keys := mail.Keys()
			require.Equal(t, []string{keys[0], keys[0], keys[0]}, keys, "never a new key")
			require.Equal(t, 1, mail.EffectsOf(id))
			b.Require(id, notifytest.State(notify.StateSent))
		})
	})
	t.Run("permanent", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail", keyed)
			mail.Next(notifytest.LoseAnswer(), notifytest.FailPermanently(notify.ClassAddress, "550"))
			text := notifytest.NewProvider[notify.SMS]("text")
			notify.Use(b.Notifier, mail, everySecond)
			notify.Use(b.Notifier, text)
			id := b.Send(toAnna(notify.EmailChannel, notify.SMSChannel))
			b.Settle(id)
			b.Require(id, notifytest.State(notify.StateUnknown), notifytest.Once(notify.Unknown{}))
			require.Equal(t, 1, mail.Effects()+text.Effects())
		})
	})
	t.Run("permanent, of a service that replays its failures", func(t *testing.T) {
		inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
			mail := notifytest.NewProvider[notify.Email]("mail", keyed, func(c *notify.Capabilities) { c.ReplaysFailures = true })
			mail.Next(notifytest.LoseCall(), notifytest.FailPermanently(notify.ClassAddress, "550"))
			text := notifytest.NewProvider[notify.SMS]("text")
			notify.Use(b.Notifier, mail, everySecond)
			notify.Use(b.Notifier, text)
			id := b.Send(toAnna(notify.EmailChannel, notify.SMSChannel))
			b.Settle(id)
			b.Require(id, notifytest.State(notify.StateSent), notifytest.Once(notify.Failed{Reason: notify.EndRejected}))
			require.Equal(t, 1, text.Effects())
		})
	})
}

// Beyond the key's window a repeat could be a second message.
func TestNoRepeatBeyondTheWindowOfTheKey(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", keyed)
		mail.Always(notifytest.LoseAnswer())
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) {
			c.Attempts, c.Budget = 100, 24*time.Hour
			c.Backoff = func(int) time.Duration { return 20 * time.Minute }
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateUnknown), notifytest.Once(notify.Unknown{}))
		require.Equal(t, 1, mail.EffectsOf(id))
		require.Len(t, mail.Calls(), 3, "at 0, 20 and 40 minutes; at 60 its window is over")
	})
}

func TestAProviderIsAskedAboutALostAnswer(t *testing.T) {
	for name, outcome := range inDoubt {
		t.Run(name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewAskableProvider[notify.Email]("mail")
				mail.Next(outcome)
				mail.FailAsking(errors.New("no connection"))
				notify.Use(b.Notifier, mail, everySecond)
				id := b.Send(toAnna(notify.EmailChannel))
				b.Settle(id)

				require.Len(t, mail.Calls(), 1, "asking is not calling")
				require.Equal(t, mail.Keys()[0], mail.Asked()[0])
				if mail.EffectsOf(id) == 1 {
					b.Require(id,
						notifytest.State(notify.StateSent),
						notifytest.Once(notify.Sent{MessageID: "mail-1"}), notifytest.Never(notify.Unknown{}),
					)
					return
				}
				// "Not found" proves nothing: the call may yet arrive.
				b.Require(id, notifytest.State(notify.StateUnknown), notifytest.Once(notify.Unknown{}))
			})
		})
	}
}
