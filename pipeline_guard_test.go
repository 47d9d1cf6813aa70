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

// always is a guard with one answer.
func always(d notify.Decision) notify.Guard {
	return func(context.Context, notify.GuardRequest) (notify.Decision, error) { return d, nil }
}

func TestAGuardSuppresses(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Notifier.Guard("allows", always(notify.Allow()))
		b.Notifier.Guard("list", always(notify.Suppress("unsubscribed")))
		b.Notifier.Guard("later", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
			t.Error("a guard was asked after the decision")
			return notify.Allow(), nil
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Suppressed{Guard: "list", Reason: "unsubscribed"},
			notify.Settled{State: notify.StateSuppressed},
		))
		require.Empty(t, mail.Calls())
	})
}

func TestAGuardSeesTheNotification(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		var got notify.GuardRequest
		b.Notifier.Guard("sees", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			got = req
			return notify.Allow(), nil
		})
		nt := toAnna(notify.EmailChannel)
		nt.Tenant, nt.Category, nt.Urgent, nt.Labels = "acme", "orders", true, map[string]string{"a": "b"}
		began := time.Now()
		id := b.Send(nt)
		b.Settle(id)
		require.True(t, got.Now.Equal(began))
		require.True(t, got.ExpiresAt.Equal(began.Add(24*time.Hour)))
		got.Now, got.ExpiresAt = time.Time{}, time.Time{}
		require.Equal(t, notify.GuardRequest{
			NotificationID: id, Recipient: anna(), Channels: []notify.Channel{notify.EmailChannel}, Tenant: "acme", Category: "orders", Urgent: true, Labels: nt.Labels,
		}, got)
	})
}

func TestAGuardDelays(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		morning := time.Now().Add(8 * time.Hour).Round(0).UTC()
		b.Notifier.Guard("night", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
			if req.Now.Before(morning) {
				return notify.DelayUntil(morning, "night"), nil
			}
			return notify.Allow(), nil
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id,
			notifytest.Exactly(
				notify.Accepted{},
				notify.Delayed{Until: morning, Reason: notify.DelayGuard, Guard: "night", GuardReason: "night"},
				notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Sent{}, notify.Settled{},
			),
			notifytest.At(8*time.Hour, notify.Sent{}),
		)
	})
}

// A guard may say "never" by a year that JSON has not, in whatever zone.
func TestAGuardDelaysForEver(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		never := time.Date(12000, 1, 1, 0, 0, 0, 0, time.FixedZone("odd", 25*60*60+1))
		b.Notifier.Guard("never", always(notify.DelayUntil(never, "holidays")))
		deadline := time.Now().Add(24 * time.Hour).Round(0).UTC()
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Delayed{Until: deadline, Guard: "never"}, notify.Expired{At: deadline},
			notify.Settled{State: notify.StateExpired},
		))
		require.Empty(t, mail.Calls())
	})
}

func TestAGuardLeavesChannelsOut(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		text := notifytest.NewProvider[notify.SMS]("text")
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, text)
		notify.Use(b.Notifier, mail)
		b.Notifier.Guard("consent", always(notify.Without(notify.SMSChannel)))
		id := b.Send(toAnna(notify.SMSChannel, notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Once(notify.Routed{
			Plan: notify.First(notify.EmailChannel), Legs: []notify.Leg{{Leg: 1, Channel: notify.EmailChannel}},
			Rejected: []notify.Rejected{{Channel: notify.SMSChannel, Reason: notify.RejectGuard}},
		}))
		require.Empty(t, text.Calls())

		id = b.Send(toAnna(notify.SMSChannel))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Undeliverable{
				Reason:   notify.UndeliverableNoRoute,
				Rejected: []notify.Rejected{{Channel: notify.SMSChannel, Reason: notify.RejectGuard}},
			}, notify.Settled{State: notify.StateFailed},
		))
	})
}

// Guards are asked again before an attempt that was delayed.
func TestAGuardIsAskedAgainBeforeARetry(t *testing.T) {
	for name, test := range map[string]struct {
		decision notify.Decision
		expect   []notifytest.Expectation
		effects  int
	}{
		"suppress": {notify.Suppress("unsubscribed"), []notifytest.Expectation{
			notifytest.State(notify.StateSuppressed),
			notifytest.Sequence(
				notify.Retrying{},
				notify.Suppressed{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}, Guard: "g", Reason: "unsubscribed"},
				notify.Settled{State: notify.StateSuppressed},
			),
		}, 0},
		"without": {notify.Without(notify.EmailChannel), []notifytest.Expectation{
			notifytest.State(notify.StateSuppressed),
			notifytest.Sequence(notify.Retrying{}, notify.Suppressed{}, notify.Settled{}),
		}, 0},
		"delay": {notify.DelayUntil(time.Date(2000, 1, 1, 5, 0, 0, 0, time.UTC), "night"), []notifytest.Expectation{
			notifytest.State(notify.StateSent),
			notifytest.Sequence(
				notify.Retrying{}, notify.Delayed{Leg: notify.Leg{Leg: 1}, Guard: "g", GuardReason: "night"}, notify.Sent{},
			),
			notifytest.At(5*time.Hour, notify.Sent{}),
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewProvider[notify.Email]("mail")
				mail.Next(notifytest.Throttle(time.Minute))
				notify.Use(b.Notifier, mail)
				b.Notifier.Guard("g", func(_ context.Context, req notify.GuardRequest) (notify.Decision, error) {
					if req.Channel == "" {
						return notify.Allow(), nil
					}
					return test.decision, nil
				})
				id := b.Send(toAnna(notify.EmailChannel))
				b.Settle(id)
				b.Require(id, test.expect...)
				require.Equal(t, test.effects, mail.Effects())
			})
		})
	}
}

// A guard that fails has decided nothing: it is asked again.
func TestAGuardThatFailsIsAskedAgain(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no connection") },
		"panic": func() error { panic(fmt.Errorf("anna@example.com")) },
	} {
		t.Run(name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewProvider[notify.Email]("mail")
				notify.Use(b.Notifier, mail)
				var asked atomic.Int64
				b.Notifier.Guard("shaky", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
					if asked.Add(1) < 5 {
						return notify.Decision{}, fail()
					}
					return notify.Allow(), nil
				})
				id := b.Send(toAnna(notify.EmailChannel))
				b.Settle(id)
				b.Require(id,
					notifytest.State(notify.StateSent),
					notifytest.Once(notify.Accepted{}), notifytest.Never(notify.Suppressed{}),
				)
				require.EqualValues(t, 5, asked.Load())
				require.Equal(t, 1, mail.Effects())
			})
		})
	}
}
