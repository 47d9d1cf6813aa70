package notifytest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

var welcome = notify.Notification{
	To: notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{
		notify.PushChannel: "token-1", notify.EmailChannel: "u42@example.com",
	}},
	Content: notify.Content{Title: "Welcome", Body: "Good to have you here."},
	Route:   notify.First(notify.PushChannel, notify.EmailChannel),
}

// A whole test: an hour of retries takes no time.
func TestPushFallsBackToMail(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Next(notifytest.Throttle(time.Hour), notifytest.FailPermanently(notify.ClassAddress, "410"))
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, push, func(c *notify.ProviderConfig) {
			c.MaxRetryAfter, c.Budget = 2*time.Hour, 3*time.Hour
		})
		notify.Use(b.Notifier, mail)

		id := b.Send(welcome)
		b.Settle(id)
		b.Require(id,
			notifytest.State(notify.StateSent),
			notifytest.Sequence(
				notify.Retrying{}, notify.Failed{Reason: notify.EndRejected}, notify.FailedOver{},
				notify.Sent{Attempt: notify.Attempt{Provider: "mail"}}, notify.Settled{Attempts: 3},
			),
			notifytest.At(time.Hour, notify.Sent{}),
		)
		if got := mail.EffectsOf(id); got != 1 {
			t.Fatalf("the recipient got %d mails", got)
		}
	})
}

// A Provider works without a bench too.
func Example() {
	n, err := notify.New(notify.Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		panic(err)
	}
	push := notifytest.NewProvider[notify.Push]("push")
	push.Always(notifytest.FailPermanently(notify.ClassAddress, "410"))
	mail := notifytest.NewProvider[notify.Email]("mail")
	notify.Use(n, push)
	notify.Use(n, mail)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	id, err := n.Send(ctx, welcome)
	if err != nil {
		panic(err)
	}
	status, err := n.Wait(ctx, id)
	if err != nil {
		panic(err)
	}
	fmt.Println(status.State, status.Legs[0].Reason)
	fmt.Println(len(push.Calls()), push.Effects())
	fmt.Println(mail.EffectsOf(id), mail.Deliveries()[0].Message.Subject)
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	<-ran
	// Output:
	// sent rejected
	// 1 0
	// 1 Welcome
}

// What a provider does is said by call, or by what it is called with.
func ExampleProvider_Decide() {
	text := notifytest.NewProvider[notify.SMS]("text", func(c *notify.Capabilities) { c.KeyWindow = time.Hour })
	text.Decide(func(d notify.Delivery[notify.SMS]) notifytest.Outcome {
		if d.Call == 1 {
			return notifytest.LoseAnswer()
		}
		return notifytest.Succeed()
	})
	for call := 1; call <= 2; call++ {
		d := notify.Delivery[notify.SMS]{Key: "n-1.1.1", NotificationID: "n-1", Call: call, Message: notify.SMS{To: "+4930123456", Text: "Hi"}}
		receipt, err := text.Send(context.Background(), d)
		fmt.Println(receipt.MessageID, err)
	}
	fmt.Println(len(text.Calls()), "calls,", text.EffectsOf("n-1"), "message")
	// Output:
	// uncertain failure (network) cut
	// text-1 <nil>
	// 2 calls, 1 message
}
