// Package notify sends notifications, and tells observers of every step as a
// typed event. It is a library: a host application imports it, asks for a
// notification to be sent, and notify decides which channels the recipient
// gets it on, renders it, hands it to a provider, retries, fails over, and
// follows it to an end state.
//
// # A tour
//
// Make a Notifier. The zero [Config] keeps everything in memory:
//
//	n, err := notify.New(notify.Config{})
//
// Tell it how to reach people: a [Provider] sends the messages of one channel
// through one service. Package providers/smtp has one for e-mail; any type with
// Name and Send is one. The message is typed: [Email], [SMS], [Push], [Chat],
// or a struct of the host's own with a Channel method.
//
//	notify.Use(n, smtp.New(smtp.Config{Addr: "localhost:25", From: "shop@example.com"}))
//
// Observe what happens. A handler gets the events of its type: [Sent],
// [Bounced], any other of the vocabulary; with any as the type it gets all.
//
//	notify.On(n, "receipts", func(ctx context.Context, e notify.Event[notify.Sent]) error {
//	    return receipts.Mark(ctx, e.NotificationID, e.Data.Provider)
//	})
//
// Run it until the context ends, and wait until every observer is in place:
//
//	go n.Run(ctx)
//	err = n.Ready(ctx)
//
// Send. A nil error means that the notification is stored as durably as the
// backend stores anything; from then on it settles, whatever crashes.
//
//	id, err := n.Send(ctx, notify.Notification{
//	    To: notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{
//	        notify.EmailChannel: "ann@example.com",
//	    }},
//	    Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
//	    Route:   notify.First(notify.EmailChannel), // every channel needs a provider
//	})
//
// Follow it to its end, or watch its events as they happen:
//
//	status, err := n.Wait(ctx, id)
//	for e, err := range n.Watch(ctx, id) { ... }
//
// And stop: Close lets what is under way finish.
//
//	err = n.Close(ctx)
//
// # Who gets what
//
// A notification has one [Recipient], with addresses or with an ID that the
// [Directory] resolves. Its [Route] is a plan of channels: [First] tries one
// after the other, [All] uses all at once, and both nest. Before the plan each
// [Guard] is asked, and may suppress or delay. [Notifier.Explain] tells what
// would happen, and sends nothing.
//
// Each part of the plan that uses one channel is a leg. A leg has attempts: one
// message, to one provider, under one key. Several providers of a channel are
// tried in the order of their registration, each with a circuit breaker, a
// rate limit, retries and budgets of its own ([ProviderConfig]).
//
// # When an answer is lost
//
// A provider says what a failure means by a [SendError]. If nobody can tell
// whether it took the message, the attempt is in doubt: it is repeated under
// the same key if the provider honours keys ([Capabilities]), asked about if it
// can be asked ([Asker]), and otherwise ends as [Unknown]: nothing is sent
// twice unless the host opts in ([Route.OnDoubt],
// [ProviderConfig.ResendInDoubt]).
//
// What a provider says later, by a webhook for example, goes to
// [Notifier.Report], and may end a leg, or raise [Corrected] long after.
//
// # Events and observers
//
// Events are facts, and carry neither content nor addresses. Each has an
// [Envelope] with an ID that a repetition shares; on a wire they are CloudEvents
// 1.0. The host's own events are any structs ([RegisterEvent], [Emit]).
//
// Every [Observer] has its own position, retries and dead letters: one that is
// slow, fails or panics holds up nobody else, and never the sending. Handlers
// must expect an event twice. An observer with several handlers keeps one
// order between them; several [On] calls are several observers, and on a
// broker each reads the topic for itself.
//
// What an observer cannot handle waits among its dead letters for
// [Notifier.Redrive]; [Notifier.Stats] counts what each one does and costs in
// time. Ready-made observers, in packages below handlers, are attached by
// [Notifier.Attach].
//
// # Backends
//
// [Config.Backend] says what carries work and events: by default
// backends/memory; any Watermill Pub/Sub by [FromWatermill]. What a backend
// and its records really give, [Notifier.Guarantees] says in words.
//
// A process may run everything, or a part ([Roles]).
package notify
