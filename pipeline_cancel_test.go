package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

func cancel(t *testing.T, b *notifytest.Bench, id string) notify.Cancellation {
	t.Helper()
	answer, err := b.Notifier.Cancel(t.Context(), id)
	require.NoError(t, err)
	return answer
}

func TestCancelBeforeItIsRouted(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		nt := toAnna(notify.EmailChannel)
		nt.NotBefore = time.Now().Add(time.Hour)
		id := b.Send(nt)
		b.Pass(time.Minute)
		require.Equal(t, notify.CancelDone, cancel(t, b, id))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Delayed{Reason: notify.DelayScheduled}, notify.Canceled{},
			notify.Settled{State: notify.StateCanceled},
		))
		b.Pass(2 * time.Hour)
		require.Empty(t, mail.Calls())
		b.Require(id, notifytest.Never(notify.Routed{}))
	})
}

func TestCancelRightAfterSend(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.Succeed().After(time.Second))
		notify.Use(b.Notifier, mail)
		b.Start()
		for range 50 {
			id := b.Send(toAnna(notify.EmailChannel))
			answer := cancel(t, b, id)
			b.Settle(id)
			if answer == notify.CancelDone {
				b.Require(id, notifytest.State(notify.StateCanceled), notifytest.Once(notify.Canceled{}), notifytest.Once(notify.Accepted{}))
				require.Zero(t, mail.EffectsOf(id))
			} else {
				b.Require(id, notifytest.State(notify.StateSent))
			}
		}
	})
}

func TestCancelWhileARetryWaits(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.Throttle(10 * time.Minute))
		text := notifytest.NewProvider[notify.SMS]("text")
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, text)
		id := b.Send(toAnna(notify.EmailChannel, notify.SMSChannel))
		b.Until(id, notify.Retrying{})
		b.Rest()
		require.Equal(t, notify.CancelDone, cancel(t, b, id))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Retrying{},
			notify.Canceled{}, notify.Settled{Attempts: 1, Calls: 1},
		), notifytest.Never(notify.Canceled{InDoubt: true}))
		b.Pass(time.Hour)
		require.Len(t, mail.Calls(), 1)
		require.Empty(t, text.Calls())
	})
}

func TestCancelDuringACall(t *testing.T) {
	for name, test := range map[string]struct {
		outcome notifytest.Outcome
		state   notify.State
		again   error // of a Cancel after all
	}{
		"that succeeds":    {notifytest.Succeed(), notify.StateSent, notify.ErrTooLate},
		"that is refused":  {notifytest.FailTemporarily(notify.ClassService, "503"), notify.StateCanceled, nil},
		"that is rejected": {notifytest.FailPermanently(notify.ClassAddress, "550"), notify.StateCanceled, nil},
		"that is lost":     {notifytest.LoseCall(), notify.StateUnknown, notify.ErrTooLate},
	} {
		t.Run(name, func(t *testing.T) {
			inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
				mail := notifytest.NewProvider[notify.Email]("mail", keyed)
				mail.Next(test.outcome.After(10 * time.Second))
				text := notifytest.NewProvider[notify.SMS]("text")
				notify.Use(b.Notifier, mail, everySecond)
				notify.Use(b.Notifier, text)
				id := b.Send(toAnna(notify.EmailChannel, notify.SMSChannel))
				b.Until(id, notify.Sending{})
				b.Pass(time.Second)
				require.Equal(t, notify.CancelPending, cancel(t, b, id))
				require.Equal(t, notify.CancelPending, cancel(t, b, id), "it is still unanswered")
				b.Require(id, notifytest.Never(notify.Settled{}))
				b.Settle(id)
				b.Require(id,
					notifytest.State(test.state),
					notifytest.Once(notify.Canceled{InDoubt: true}),
					notifytest.Never(notify.FailedOver{}), notifytest.Never(notify.Retrying{}),
				)
				require.Len(t, mail.Calls(), 1, "nothing new begins")
				require.Empty(t, text.Calls())
				answer, err := b.Notifier.Cancel(t.Context(), id)
				if test.again == nil {
					require.NoError(t, err)
					require.Equal(t, notify.CancelDone, answer)
				}
				require.ErrorIs(t, err, test.again)
			})
		})
	}
}

func TestCancelInTheReceiptWindow(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, mail, anHour)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		b.Rest()
		require.Equal(t, notify.CancelDone, cancel(t, b, id))
		b.Settle(id)
		b.Require(id, notifytest.At(0, notify.Settled{State: notify.StateSent}), notifytest.Once(notify.Canceled{}))
	})
}

// A host that did not hear the answer asks again, and hears the same.
func TestCancelTwiceAnswersTheSame(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail", reporting), anHour)
		waiting := toAnna(notify.EmailChannel)
		waiting.NotBefore = time.Now().Add(time.Hour)
		unsent, sent := b.Send(waiting), b.Send(toAnna(notify.EmailChannel))
		b.Until(sent, notify.Sent{})
		b.Rest()
		for _, id := range []string{unsent, sent} {
			for range 3 {
				require.Equal(t, notify.CancelDone, cancel(t, b, id))
				b.Settle(id)
			}
			b.Require(id, notifytest.Once(notify.Canceled{}), notifytest.Once(notify.Settled{}))
		}
		require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{Provider: "mail", MessageID: "mail-1", Event: notify.Delivered{}}))
		require.Equal(t, notify.CancelDone, cancel(t, b, sent), "what was sent before it was canceled stays sent")
	})
}

func TestCancelOfWhatHasSettledIsTooLate(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		_, err := b.Notifier.Cancel(t.Context(), id)
		require.ErrorIs(t, err, notify.ErrTooLate)
		b.Require(id, notifytest.Never(notify.Canceled{}))
	})
}

// A cancel that overtakes its Send leaves a mark that the Send runs into.
func TestCancelOfAnUnknownID(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		nt := toAnna(notify.EmailChannel)
		nt.Key = "order-1"
		// The ID follows from the key, so another bench tells it.
		other := notifytest.Open(t, func(c *notify.Config) { c.Backend = memory.New() })
		notify.Use(other.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		id := other.Send(nt)
		other.Settle(id)

		b.Start()
		require.Equal(t, notify.CancelDone, cancel(t, b, id))
		require.Equal(t, notify.CancelDone, cancel(t, b, id))
		require.Equal(t, id, b.Send(nt))
		b.Settle(id)
		b.Require(id, notifytest.State(notify.StateCanceled), notifytest.Exactly(
			notify.Accepted{}, notify.Canceled{}, notify.Settled{State: notify.StateCanceled},
		))
		require.Equal(t, id, b.Send(nt))
		b.Pass(time.Hour)
		require.Empty(t, mail.Calls())
	})
}

func TestCancelTakesASensibleID(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		_, err := b.Notifier.Cancel(t.Context(), "")
		require.ErrorContains(t, err, "id: must have 1 to 255 bytes")
	})
}
