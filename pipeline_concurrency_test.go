package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// atOnce is how many of the calls, of a second each, were under way at once.
func atOnce(calls []notifytest.Call[notify.Email]) (most int) {
	for i, first := range calls {
		n := 0
		for _, c := range calls[i:] {
			if c.At.Sub(first.At) < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func slowMail(of time.Duration, options ...func(*notify.Capabilities)) *notifytest.Provider[notify.Email] {
	mail := notifytest.NewProvider[notify.Email]("mail", options...)
	mail.Always(notifytest.Succeed().After(of))
	return mail
}

// At most as many calls as may be are under way, and no less while there is work.
func TestConcurrencyOfAProvider(t *testing.T) {
	ofThree := func(c *notify.Capabilities) { c.Concurrency = 3 }
	for _, c := range []struct {
		name       string
		capable    []func(*notify.Capabilities)
		configured int
		most       int
	}{
		{"the provider says", []func(*notify.Capabilities){ofThree}, 0, 3},
		{"the host says", nil, 3, 3},
		{"the host overrules", []func(*notify.Capabilities){ofThree}, 5, 5},
		{"the control", nil, 0, 30},
	} {
		t.Run(c.name, func(t *testing.T) {
			inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
				mail := slowMail(time.Second, c.capable...)
				notify.Use(b.Notifier, mail, func(p *notify.ProviderConfig) { p.Concurrency = c.configured })
				var ids []string
				for range 30 {
					ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
				}
				began := time.Now()
				b.Settle(ids...)
				require.Equal(t, 30, mail.Effects())
				require.Equal(t, c.most, atOnce(mail.Calls()))
				calls := mail.Calls()
				require.Less(t, calls[29].At.Sub(began), time.Duration(30/c.most)*time.Second)
			})
		})
	}
}

// What waits for its slot has no intent: it can be canceled, and a crash would
// leave nothing in doubt.
func TestWhatWaitsForASlotIsNoAttempt(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := slowMail(20 * time.Second)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Concurrency = 1 })
		first := b.Send(toAnna(notify.EmailChannel))
		b.Until(first, notify.Sending{})
		second := b.Send(toAnna(notify.EmailChannel))
		third := b.Send(toAnna(notify.EmailChannel))
		b.Until(third, notify.Routed{})
		b.Pass(time.Second)
		b.Require(second, notifytest.Never(notify.Sending{}))
		b.Require(third, notifytest.Never(notify.Sending{}))

		require.Equal(t, notify.CancelPending, cancel(t, b, first))
		require.Equal(t, notify.CancelDone, cancel(t, b, second))
		b.Settle(first, second, third)
		b.Require(second, notifytest.State(notify.StateCanceled))
		require.Zero(t, mail.EffectsOf(second))
		require.Equal(t, 1, mail.EffectsOf(third))
	})
}

func TestUrgentWorkWaitsForNoNewsletter(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := slowMail(time.Second)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Concurrency = 1 })
		var ids []string
		for range 10 {
			ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Until(ids[9], notify.Routed{})
		b.Pass(100 * time.Millisecond)
		require.Len(t, mail.Calls(), 1)
		code := toAnna(notify.EmailChannel)
		code.Urgent = true
		ids = append(ids, b.Send(code))
		b.Settle(ids...)
		require.Equal(t, ids[10], mail.Calls()[1].NotificationID)
	})
}

// A slot comes back however the call ends, and while nothing is called.
func TestASlotComesBack(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(
			notifytest.Panic("provider"), notifytest.FailTemporarily(notify.ClassNetwork, ""),
			notifytest.FailPermanently(notify.ClassAddress, "550"), notifytest.Throttle(time.Minute),
		)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Concurrency, c.Rate = 1, 2 })
		var ids []string
		for range 12 {
			ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Settle(ids...)
		require.Equal(t, 10, mail.Effects())
	})
}

// Close waits for the calls that are under way, not for those that wait.
func TestCloseWhileWorkWaitsForASlot(t *testing.T) {
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		mail := slowMail(time.Hour)
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Concurrency, c.AttemptTimeout = 2, time.Hour })
		for range 20 {
			b.Send(toAnna(notify.EmailChannel))
		}
		b.Pass(time.Second)
		require.Len(t, mail.Calls(), 2)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_ = b.Notifier.Close(ctx)
		require.Len(t, mail.Calls(), 2)
	})
}

func TestConcurrencyMustNotBeNegative(t *testing.T) {
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	notify.Use(n, slowMail(0), func(c *notify.ProviderConfig) { c.Concurrency = -1 })
	_, err = n.Send(t.Context(), toAnna(notify.EmailChannel))
	require.ErrorContains(t, err, "Concurrency")
	require.NoError(t, n.Close(t.Context()))
}
