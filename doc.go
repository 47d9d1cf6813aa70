// Package notify sends notifications, and tells observers of every step as a
// typed event. It is a library: a host application imports it, asks for a
// notification to be sent, and notify decides which channels the recipient
// gets it on, renders it, hands it to a provider, retries, fails over, and
// follows it to an end state.
//
// # A tour
//
// Define what belongs to your program. A [Provider] sends the messages of one
// channel through one service: any type with these two methods is one. The
// message is typed: [Email], [SMS], [Push], [Chat], or a struct of the host's
// own. Ready-made providers are in the module
// github.com/seed-6c01d079/notify/providers: smtp for e-mail, console to print.
//
//	type pushService struct{}
//
//	func (pushService) Name() string { return "push-service" }
//
//	func (pushService) Send(ctx context.Context, d notify.Delivery[notify.Push]) (notify.Receipt, error) {
//	    ... // d.Message.Token, d.Message.Title
//	    return notify.Receipt{}, &notify.SendError{
//	        Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "unregistered",
//	    }
//	}
//
// An event of the host's own is any struct:
//
//	type OrderPaid struct {
//	    Order string `json:"order"`
//	}
//
// A recipient has addresses, or an ID that the [Directory] knows ([User]):
//
//	ann := notify.Recipient{ID: "u_42", Name: "Ann", Addresses: map[notify.Channel]string{
//	    notify.PushChannel:  "token-of-her-phone",
//	    notify.EmailChannel: "ann@example.com",
//	}}
//
// Register it all with a [Notifier]. The zero [Config] keeps everything in
// memory. Registering returns no error: Ready, Run and Send report everything
// that is wrong.
//
//	n, err := notify.New(notify.Config{})
//	notify.RegisterEvent[OrderPaid](n, "shop.order_paid.v1")
//	notify.Use(n, pushService{})
//	notify.Use(n, smtp.New(smtp.Config{Addr: "localhost:25", From: "shop@example.com"}))
//
// An observer gets the events of its type: [FailedOver], [Sent], any other of
// the vocabulary, or the host's; with any as the type it gets all. It may send
// notifications itself. It may also get an event twice: with the event's ID as
// the Key, the second Send sends nothing.
//
//	notify.On(n, "failovers", func(ctx context.Context, e notify.Event[notify.FailedOver]) error {
//	    log.Printf("%s failed, trying %s", e.Data.From.Channel, e.Data.To.Channel)
//	    return nil
//	})
//	notify.On(n, "thanks", func(ctx context.Context, e notify.Event[OrderPaid]) error {
//	    _, err := n.Send(ctx, notify.Notification{
//	        Key:     e.ID,
//	        To:      ann,
//	        Content: notify.Content{Title: "Thank you", Body: "We received order " + e.Data.Order},
//	        Route:   notify.First(notify.EmailChannel),
//	    })
//	    return err
//	})
//
// Observers that are ready-made are attached: handlers/timeline keeps a read
// view of every notification, handlers/logs writes a log.
//
//	store := timeline.NewMemory()
//	n.Attach(timeline.New(store))
//
// Start it: Run runs until its context ends or Close is called, and Ready waits
// until every observer is in place.
//
//	go n.Run(ctx)
//	err = n.Ready(ctx)
//
// Send. A nil error means that the notification is stored as durably as the
// backend stores anything; from then on it settles, whatever crashes. First
// tries one channel after the other, and every channel needs a provider.
//
//	id, err := n.Send(ctx, notify.Notification{
//	    To:      ann,
//	    Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
//	    Route:   notify.First(notify.PushChannel, notify.EmailChannel),
//	})
//
// Observe what becomes of it: Wait for its end, Watch its events as they
// happen, or read the view, which follows within milliseconds. Emit raises an
// event of the host's, for all observers of its type.
//
//	status, err := n.Wait(ctx, id) // status.State is notify.StateSent
//	for e, err := range n.Watch(ctx, id) { ... }
//	entry, err := store.Get(ctx, id)
//	_, err = entry.WriteTo(os.Stdout)
//
//	_, err = notify.Emit(ctx, n, OrderPaid{Order: "7"})
//
// Stop: Close lets what is under way finish, and the observers catch up.
//
//	err = n.Close(ctx)
//
// # Channels and messages of one's own
//
// A channel of the host's is a message type with a Channel method. [Use] takes
// its providers, and [Render] a function that makes the message, since no
// template does:
//
//	const FaxChannel notify.Channel = "fax"
//
//	type Fax struct{ Number, Text string }
//
//	func (Fax) Channel() notify.Channel { return FaxChannel }
//
//	notify.Use(n, faxService{}) // a Provider[Fax]
//	notify.Render(n, func(ctx context.Context, req notify.RenderRequest) (Fax, error) {
//	    return Fax{Number: req.Address, Text: req.Content.Body}, nil
//	})
//
// # Who gets what
//
// A notification has one [Recipient], with addresses or with an ID that the
// [Directory] resolves. Its [Route] is a plan of channels: [First] tries one
// after the other, [All] uses all at once, and both nest. Before the plan is
// made, each [Guard] is called, and may suppress or delay the notification.
// [Notifier.Explain] tells what would happen, and sends nothing.
//
// Each part of the plan that uses one channel is a leg. A leg has attempts: one
// message, to one provider, under one key. Several providers of a channel are
// tried in the order of their registration, each with a circuit breaker, a
// rate limit, retries and budgets of its own ([ProviderConfig]).
//
// # When an answer is lost
//
// A provider says what a failure means by a [SendError]. If nobody can tell
// whether it took the message, the attempt is in doubt: the call is repeated
// under the same key if the provider honours keys ([Capabilities]); else the
// provider is asked what became of it, if it can be asked ([Asker]); else the
// attempt ends as [Unknown]. Nothing is sent twice unless the host opts in
// ([Route.OnDoubt], [ProviderConfig.ResendInDoubt]).
//
// What a provider says later, by a webhook for example, goes to
// [Notifier.Report], and may end a leg, or raise [Corrected] long after. If a
// provider announces such receipts ([Capabilities]), a notification settles only
// when the receipt has come, or the time to wait for it is over
// ([ProviderConfig.ReceiptWindow]).
//
// # Events and observers
//
// Events are facts, and carry neither content nor addresses. Each has an
// [Envelope] with an ID that stays the same when the event is delivered again;
// on the wire they are CloudEvents 1.0. The host's own events are any structs
// ([RegisterEvent], [Emit]).
//
// Every [Observer] has its own position, retries and dead letters: one that is
// slow, fails or panics delays no other observer, and never the sending.
// Handlers must expect an event twice. An observer with several handlers keeps
// one order between them; several [On] calls are several observers, and on a
// broker each reads the topic for itself.
//
// What an observer cannot handle waits among its dead letters for
// [Notifier.Redrive]; [Notifier.Stats] counts what each one does and costs in
// time. [Notifier.Health] is for a readiness probe. The module telemetry
// reports all that to OpenTelemetry, through [Notifier.Hook].
//
// Ready-made observers, such as those of the handlers packages, are an
// [Attacher]; one that also has background work is a [Worker], which the Notifier
// starts and ends.
//
// # Backends
//
// [Config.Backend] says what carries work and events: by default
// backends/memory; one durable file by backends/sqlite; Kafka and PostgreSQL by
// backends/kafka and backends/postgres, a module each; any other Watermill
// Pub/Sub by [FromWatermill]. Where a backend keeps no records, as Kafka does not,
// [Config.Records] names a store that does, or [NoRecords]. [Notifier.SendTx]
// sends within a transaction of the host's own database. [Notifier.Guarantees]
// says in words what a backend and its records give.
//
// A process may run the whole pipeline, or a part of it ([Roles]).
//
// # Tests
//
// Package notifytest runs the real pipeline in virtual time, with providers
// that fail as a test tells them. [Notifier.Explain] and providers/console show
// what would be sent.
package notify
