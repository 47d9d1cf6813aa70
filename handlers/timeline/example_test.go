package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// A read view of what became of every notification.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	store := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.Notifications = 1000 })
	n.Attach(timeline.New(store))
	notify.Use(n, mail(take))
	go n.Run(ctx)

	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	})
	if err != nil {
		panic(err)
	}
	if _, err := n.Wait(ctx, id); err != nil {
		panic(err)
	}
	if err := n.Close(ctx); err != nil { // waits until the view has caught up, too
		panic(err)
	}

	entry, err := store.Get(ctx, id)
	if err != nil {
		panic(err)
	}
	fmt.Println(entry.Status.State, entry.Status.Legs[0].Attempts[0].Provider)
	for _, e := range entry.Events {
		fmt.Println(e.Type)
	}
	// Output:
	// sent smtp
	// notify.accepted.v1
	// notify.routed.v1
	// notify.rendered.v1
	// notify.sending.v1
	// notify.sent.v1
	// notify.settled.v1
}

// The failed notifications of one recipient, page by page.
func ExampleMemory_List() {
	ctx := context.Background()
	store := timeline.NewMemory()
	for i, id := range []string{"n_1", "n_2", "n_3"} {
		at := time.Duration(i) * time.Minute
		_ = store.Add(ctx, accepted(id, at))
		_ = store.Add(ctx, event(id, "undeliverable", at, notify.Undeliverable{Reason: notify.UndeliverableNoRoute}))
	}
	query := timeline.Query{Tenant: "shop", RecipientID: "u_1", States: []notify.State{notify.StateFailed}, Limit: 2}
	for {
		page, err := store.List(ctx, query)
		if err != nil {
			panic(err)
		}
		for _, entry := range page.Entries {
			fmt.Println(entry.At.Format(time.TimeOnly), entry.Status.NotificationID)
		}
		if page.Next == "" {
			break
		}
		query.After = page.Next
	}
	// Output:
	// 12:02:00 n_3
	// 12:01:00 n_2
	// 12:00:00 n_1
}

// An entry as text for people.
func ExampleEntry_WriteTo() {
	push := notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: notify.PushChannel}, Attempt: 1, Provider: "fcm"}
	email := notify.Attempt{Leg: notify.Leg{Leg: 2, Channel: notify.EmailChannel}, Attempt: 1, Provider: "smtp"}
	gone := notify.Failure{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "UNREGISTERED"}
	entry := timeline.NewEntry(
		event("n_1", "accepted", 0, notify.Accepted{Route: notify.First(notify.PushChannel, notify.EmailChannel)}),
		event("n_1", "routed", 0, notify.Routed{Legs: []notify.Leg{push.Leg, email.Leg}}),
		event("n_1", "sending", 2*time.Millisecond, notify.Sending{Attempt: push, Call: 1}),
		event("n_1", "failed", 85*time.Millisecond, notify.Failed{Attempt: push, Reason: notify.EndRejected, Failure: gone}),
		event("n_1", "failed_over", 85*time.Millisecond, notify.FailedOver{
			From: push, To: notify.Attempt{Leg: email.Leg}, Reason: notify.EndRejected, Failure: gone,
		}),
		event("n_1", "sent", 240*time.Millisecond, notify.Sent{Attempt: email, MessageID: "m_1", Code: "250 2.0.0"}),
		event("n_1", "settled", 240*time.Millisecond, notify.Settled{State: notify.StateSent, Attempts: 2, Calls: 2}),
	)
	if _, err := entry.WriteTo(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// n_1 to u_1: sent, settled
	//   +0s     accepted                    push, email
	//   +0s     routed                      push, email
	//   +2ms    sending      push/fcm #1
	//   +85ms   failed       push/fcm #1    rejected, permanent address, UNREGISTERED
	//   +85ms   failed_over  push/fcm #1    to email, rejected, permanent address, UNREGISTERED
	//   +240ms  sent         email/smtp #1  m_1, 250 2.0.0
	//   +240ms  settled                     sent, attempts: 2, calls: 2
}

// What was sent, for a support desk; sealed under a key that is the host's.
func ExampleContents() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	keys, err := timeline.NewKeyRing("2026-11", map[string][]byte{"2026-11": []byte("an example: take 32 random bytes")})
	if err != nil {
		panic(err)
	}
	store := timeline.NewMemory()
	contents := timeline.NewContents(store, keys)
	n.Attach(timeline.New(store), contents)
	notify.Use(n, mail(take))
	go n.Run(ctx)

	id, err := n.Send(ctx, shipped())
	if err != nil {
		panic(err)
	}
	if _, err := n.Wait(ctx, id); err != nil {
		panic(err)
	}
	sent, err := contents.Get(ctx, id)
	if err != nil {
		panic(err)
	}
	fmt.Println(sent[0].Leg.Channel, string(sent[0].Message))

	if err := n.Handled(ctx, id, "timeline"); err != nil {
		panic(err)
	}
	erased, err := store.Erase(ctx, "shop", "u_42") // the timeline of the recipient, and the contents
	if err != nil {
		panic(err)
	}
	_, err = contents.Get(ctx, id)
	fmt.Println(erased, errors.Is(err, notify.ErrNotFound))
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	// Output:
	// email {"to":"ada@example.com","subject":"Shipped","text":"Your order is on its way."}
	// 1 true
}
