package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Many messages at 10 a second: each gets its turn, and no turn is wasted.
func TestARateLimitStarvesNobody(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) { queueUp(t, b, 100) })
	t.Run("1,000", func(t *testing.T) {
		t.Parallel()
		notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) { queueUp(t, b, 1000) })
	})
}

func queueUp(t *testing.T, b *notifytest.Bench, messages int) {
	t.Helper()
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Rate = 10 })
	var ids []string
	began := time.Now()
	for range messages {
		ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
	}
	b.Settle(ids...)

	calls := mail.Calls()
	require.Len(t, calls, messages)
	require.Equal(t, messages, mail.Effects())
	took := calls[messages-1].At.Sub(began)
	require.InDelta(t, float64(messages-1)/10, took.Seconds(), 2, "took %s", took)
	for i := 10; i < len(calls); i++ {
		require.GreaterOrEqual(t, calls[i].At.Sub(calls[i-10].At), 999*time.Millisecond, "call %d", i)
	}
}

func TestTurnsOfARateLimitKeepTheirOrder(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Rate = 1 })
		var ids []string
		for range 20 {
			ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
			b.Rest() // it has its turn before the next one asks
		}
		b.Settle(ids...)
		var got []string
		for _, d := range mail.Deliveries() {
			got = append(got, d.NotificationID)
		}
		require.Equal(t, ids, got)
	})
}

func TestARateLimitHoldsUpNobodyElse(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		text := notifytest.NewProvider[notify.SMS]("text")
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Rate, c.Burst = 0.1, 1 })
		notify.Use(b.Notifier, text)

		var slow, quick []string
		for range 30 {
			slow = append(slow, b.Send(toAnna(notify.EmailChannel)))
			quick = append(quick, b.Send(toAnna(notify.SMSChannel)))
		}
		b.Settle(quick...)
		for _, id := range quick {
			b.Require(id, notifytest.At(0, notify.Sent{}))
		}
		require.Len(t, mail.Calls(), 1)
		b.Settle(slow...)
		require.Equal(t, 30, mail.Effects())
	})
}

// The second provider of the channel serves what the first one refused, while
// others wait for the first one's turn.
func TestARateLimitHoldsUpOnlyItsOwnProvider(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		one := notifytest.NewProvider[notify.Email]("one")
		one.Decide(func(d notify.Delivery[notify.Email]) notifytest.Outcome {
			if d.Category == "second" {
				return notifytest.FailPermanently(notify.ClassAuth, "535")
			}
			return notifytest.Succeed()
		})
		two := notifytest.NewProvider[notify.Email]("two")
		notify.Use(b.Notifier, one, func(c *notify.ProviderConfig) { c.Rate, c.Burst = 1, 1 })
		notify.Use(b.Notifier, two)

		nt := toAnna(notify.EmailChannel)
		nt.Category = "second"
		ids := []string{b.Send(nt)}
		for range 30 {
			ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Settle(ids[0])
		b.Require(ids[0], notifytest.At(0, notify.Sent{Attempt: notify.Attempt{Provider: "two"}}))
		b.Settle(ids...)
		require.Equal(t, 30, one.Effects())
		require.Equal(t, 1, two.Effects())
	})
}

func TestBurst(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Rate, c.Burst = 1, 5 })
		var ids []string
		began := time.Now()
		for range 8 {
			ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Settle(ids...)
		var at []time.Duration
		for _, c := range mail.Calls() {
			at = append(at, c.At.Sub(began))
		}
		require.Equal(t, []time.Duration{0, 0, 0, 0, 0, time.Second, 2 * time.Second, 3 * time.Second}, at)
	})
}

// A slow provider with thousands of newsletters before it does not hold up a
// one-time code.
func TestTheUrgentLane(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) { overtake(t, b, 400) })
	t.Run("10,000", func(t *testing.T) {
		t.Parallel()
		notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) { overtake(t, b, 10_000) })
	})
}

func overtake(t *testing.T, b *notifytest.Bench, before int) {
	t.Helper()
	mail := notifytest.NewProvider[notify.Email]("mail")
	mail.Always(notifytest.Succeed().After(time.Second))
	notify.Use(b.Notifier, mail)
	newsletters := make([]notify.Notification, before)
	for i := range newsletters {
		newsletters[i] = toAnna(notify.EmailChannel)
	}
	b.Start()
	_, err := b.Notifier.SendBatch(t.Context(), newsletters)
	require.NoError(t, err)
	b.Pass(5 * time.Second)

	code := toAnna(notify.EmailChannel)
	code.Urgent = true
	id := b.Send(code)
	b.Settle(id)
	b.Require(id, notifytest.At(time.Second, notify.Sent{}))
	require.Less(t, mail.Effects(), before, "newsletters are still on their way")
}
