package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// kept are the messages that were kept, in order.
type kept struct {
	mu       sync.Mutex
	messages []notify.Outgoing
	fail     func(n int) error // nil: never
}

func (k *kept) keep(_ context.Context, m notify.Outgoing) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.messages = append(k.messages, m)
	if k.fail != nil {
		return k.fail(len(k.messages))
	}
	return nil
}

func (k *kept) all() []notify.Outgoing {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]notify.Outgoing{}, k.messages...)
}

func TestAMessageIsKeptBeforeItIsSent(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail, sms := notifytest.NewProvider[notify.Email]("mail"), notifytest.NewProvider[notify.SMS]("sms")
		notify.Use(b.Notifier, mail)
		notify.Use(b.Notifier, sms, everySecond)
		var k kept
		sms.Decide(func(d notify.Delivery[notify.SMS]) notifytest.Outcome {
			require.Len(t, k.all(), 1)
			if d.Call < 3 {
				return notifytest.FailTemporarily(notify.ClassService, "")
			}
			return notifytest.FailPermanently(notify.ClassAddress, "")
		})
		mail.Decide(func(notify.Delivery[notify.Email]) notifytest.Outcome {
			require.Len(t, k.all(), 2)
			return notifytest.Succeed()
		})
		b.Notifier.Keep(k.keep)
		nt := toAnna(notify.SMSChannel, notify.EmailChannel)
		nt.Tenant, nt.Category = "acme", "orders"
		began := time.Now()
		id := b.Send(nt)
		b.Settle(id)
		got := k.all()
		require.Len(t, got, 2, "not for a repeated call")
		require.True(t, got[1].AcceptedAt.Equal(began))
		want := notify.Outgoing{
			NotificationID: id, RecipientID: "anna", Tenant: "acme", Category: "orders", AcceptedAt: got[1].AcceptedAt,
			Leg: notify.Leg{Leg: 2, Channel: notify.EmailChannel}, Message: got[1].Message,
		}
		require.Equal(t, want, got[1])
		var message notify.Email
		require.NoError(t, json.Unmarshal(got[1].Message, &message))
		require.Equal(t, mail.Calls()[0].Message, message)
		require.Equal(t, notify.Leg{Leg: 1, Channel: notify.SMSChannel}, got[0].Leg)
	})
}

// What cannot be kept is not sent, costs no attempt, and is the same message
// when it is tried again.
func TestWhatIsNotKeptIsNotSent(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Attempts = 1 })
		rendered := 0
		notify.Render(b.Notifier, func(_ context.Context, req notify.RenderRequest) (notify.Email, error) {
			rendered++
			return notify.Email{To: req.Address, Subject: fmt.Sprint("Form ", rendered), Text: "x"}, nil
		})
		k := kept{fail: func(n int) error {
			switch {
			case n == 1:
				panic("the disk is on fire")
			case n <= 5:
				require.Empty(t, mail.Calls())
				return errors.New("the disk is full")
			}
			return nil
		}}
		b.Notifier.Keep(k.keep)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Sent{}, notify.Settled{State: notify.StateSent},
		))
		got := k.all()
		require.Len(t, got, 6)
		require.Equal(t, 1, rendered, "what was kept is what is sent, whatever the renderer says later")
		for _, m := range got {
			require.JSONEq(t, string(got[0].Message), string(m.Message))
		}
		require.Equal(t, "Form 1", mail.Calls()[0].Message.Subject)
	})
}

// The message that is never kept expires with its notification.
func TestWhatIsNeverKeptExpires(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		k := kept{fail: func(int) error { return errors.New("the disk is full") }}
		b.Notifier.Keep(k.keep)
		nt := toAnna(notify.EmailChannel)
		nt.ExpiresAt = time.Now().Add(5 * time.Minute)
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Expired{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}}, notify.Expired{}, notify.Settled{State: notify.StateExpired},
		))
		require.Empty(t, mail.Calls())
	})
}

func TestKeepRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	n.Keep(nil)
	require.Equal(t, []string{"Keep"}, fieldsOf(n.Run(t.Context())))
	require.NoError(t, n.Close(t.Context()))
}

// Keeping a message takes nothing of the time that its call has: a slow one costs
// no attempt.
func TestAMessageIsKeptSlowlyAndSent(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Attempts = 1 })
		k := kept{fail: func(int) error {
			time.Sleep(20 * time.Second)
			return nil
		}}
		b.Notifier.Keep(k.keep)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Sending{}, notify.Sent{}, notify.Settled{State: notify.StateSent},
		))
		require.Len(t, mail.Calls(), 1)
	})
}

// What expires while it is being kept is not sent.
func TestWhatExpiresWhileItIsKeptIsNotSent(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		k := kept{fail: func(int) error {
			time.Sleep(9 * time.Second)
			return nil
		}}
		b.Notifier.Keep(k.keep)
		nt := toAnna(notify.EmailChannel)
		nt.ExpiresAt = time.Now().Add(5 * time.Second)
		id := b.Send(nt)
		b.Settle(id)
		require.Empty(t, mail.Calls())
		b.Require(id, notifytest.Exactly(
			notify.Accepted{}, notify.Routed{}, notify.Rendered{}, notify.Expired{Leg: notify.Leg{Leg: 1, Channel: notify.EmailChannel}}, notify.Expired{}, notify.Settled{State: notify.StateExpired},
		))
	})
}

// Who takes too long, and then says that all is well, has not kept it.
func TestKeepIsLimitedInTime(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		k := kept{fail: func(n int) error {
			if n == 1 {
				time.Sleep(31 * time.Second)
			}
			require.Empty(t, mail.Calls())
			return nil
		}}
		b.Notifier.Keep(k.keep)
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		require.Len(t, k.all(), 2)
		require.Len(t, mail.Calls(), 1)
	})
}
