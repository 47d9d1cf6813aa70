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

// An observer answers an event with a notification. The event is redelivered,
// and yet there is one answer.
func TestSendInAnObserver(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.FailPermanently(notify.ClassAddress, "550"))
		text := notifytest.NewProvider[notify.SMS]("text")
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, text)
		var handled atomic.Int64
		answers := make(chan string, 3)
		notify.On(b.Notifier, "answer", func(ctx context.Context, e notify.Event[notify.Undeliverable]) error {
			nt := toAnna(notify.SMSChannel)
			nt.Key = e.ID
			id, err := b.Notifier.Send(ctx, nt)
			if err != nil {
				return err
			}
			answers <- id
			if handled.Add(1) < 3 {
				return errors.New("again")
			}
			return nil
		})
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		answer := <-answers
		require.Equal(t, answer, <-answers)
		require.Equal(t, answer, <-answers)
		b.Settle(answer)
		b.Pass(time.Hour)
		require.Equal(t, 1, text.Effects())
		for _, e := range b.Events(answer) {
			require.Equal(t, id+"/undeliverable", e.CausationID)
			require.Equal(t, 1, e.Depth)
		}
	})
}

type pinged struct {
	N int `json:"n"`
}

// Observers that answer each other for ever end in the dead letters.
func TestTheDepthOfAnswersIsLimited(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		notify.RegisterEvent[pinged](b.Notifier, "test.pinged.v1")
		notify.On(b.Notifier, "echo", func(ctx context.Context, e notify.Event[pinged]) error {
			_, err := notify.Emit(ctx, b.Notifier, pinged{e.Data.N + 1})
			return err
		})
		b.Start()
		_, err := notify.Emit(t.Context(), b.Notifier, pinged{})
		require.NoError(t, err)
		b.Pass(time.Hour)
		b.Require("",
			notifytest.Once(notify.DeadLettered{Observer: "echo", Class: notify.ObserverTooDeep, Attempts: 1}),
			notifytest.Count(33, notifytest.That(func(pinged) bool { return true })),
		)
	})
}

func TestNotificationsThatAnswerEachOtherAreLimitedToo(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		notify.On(b.Notifier, "more", func(ctx context.Context, e notify.Event[notify.Settled]) error {
			nt := toAnna(notify.EmailChannel)
			nt.Key = e.ID
			_, err := b.Notifier.Send(ctx, nt)
			return err
		})
		b.Send(toAnna(notify.EmailChannel))
		b.Pass(time.Hour)
		b.Require("", notifytest.Once(notify.DeadLettered{Observer: "more", Class: notify.ObserverTooDeep}))
		require.Equal(t, 33, mail.Effects())
	})
}

// What an observer does holds up neither the pipeline nor the other observers.
func TestObserversDoNotHoldUpThePipeline(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		notify.On(b.Notifier, "fails", func(context.Context, notify.Event[any]) error { return errors.New("no") })
		notify.On(b.Notifier, "panics", func(context.Context, notify.Event[any]) error { panic("no") })
		notify.On(b.Notifier, "hangs", func(ctx context.Context, _ notify.Event[any]) error {
			<-ctx.Done()
			return ctx.Err()
		}, func(o *notify.Observer) { o.Background = true })
		var all []string
		for range 50 {
			all = append(all, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Settle(all...)
		for _, id := range all {
			b.Require(id, notifytest.At(0, notify.Settled{State: notify.StateSent}))
		}
	})
}

// Each observer sees the events of a notification in one order, whatever fails.
func TestObserversSeeOneOrder(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Decide(func(d notify.Delivery[notify.Email]) notifytest.Outcome {
			return notifytest.Succeed().After(time.Duration(len(d.Key)%7) * time.Millisecond)
		})
		notify.Use(b.Notifier, mail)
		got := map[string][]string{} // one at a time, by Concurrency
		var calls int
		notify.On(b.Notifier, "shaky", func(_ context.Context, e notify.Event[any]) error {
			if calls++; calls%3 == 0 {
				return fmt.Errorf("call %d", calls)
			}
			if e.NotificationID != "" {
				got[e.NotificationID] = append(got[e.NotificationID], e.ID)
			}
			return nil
		}, func(o *notify.Observer) { o.Concurrency = 1 })
		var all []string
		for range 30 {
			all = append(all, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Settle(all...)
		b.Pass(time.Hour)
		for _, id := range all {
			require.Equal(t, ids(b.Events(id)), got[id])
		}
	})
}
