package notify_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify"
)

// FaxChannel is a channel of the host's own, and Fax its message.
const FaxChannel notify.Channel = "fax"

type Fax struct {
	Number string `json:"number"`
	Text   string `json:"text"`
}

func (Fax) Channel() notify.Channel { return FaxChannel }

// faxService is a provider of the channel.
type faxService struct{}

func (faxService) Name() string { return "fax-service" }

func (faxService) Send(_ context.Context, d notify.Delivery[Fax]) (notify.Receipt, error) {
	fmt.Printf("fax to %s: %s\n", d.Message.Number, d.Message.Text)
	return notify.Receipt{}, nil
}

// A channel of the host's own: a message type, a provider that takes it, and a
// function that makes it.
func ExampleRender() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	notify.Use(n, faxService{})
	notify.Render(n, func(_ context.Context, req notify.RenderRequest) (Fax, error) {
		return Fax{Number: req.Address, Text: req.Content.Title + ": " + req.Content.Body}, nil
	})
	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{FaxChannel: "+49301234567"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(FaxChannel),
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := n.Wait(ctx, id); err != nil {
		log.Fatal(err)
	}
	if err := n.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: fax to +49301234567: Shipped: Your order is on its way.
}

// Everything that is wrong with a notification is reported at once, by field.
func ExampleFieldErrors() {
	ctx := context.Background()
	n, err := notify.New(notify.Config{})
	if err != nil {
		log.Fatal(err)
	}
	notify.Use(n, printer{})
	_, err = n.Send(ctx, notify.Notification{
		To: notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann at example.com",
		}},
		Content: notify.Content{Title: "Hello\r\nBcc: everybody@example.com"},
		Route:   notify.First(notify.EmailChannel, notify.SMSChannel),
	})
	for _, problem := range notify.FieldErrors(err) {
		fmt.Println(problem.Field + " " + problem.Problem)
	}
	if err := n.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// To.Addresses[email] has to be a plain mail address such as name@example.com, of at most 254 bytes
	// Content.Title has to be one line of valid UTF-8, without control characters
	// Route.First[1] the channel has no provider; give it one with notify.Use
}

// What an observer could not handle waits among its dead letters, until it is
// given back.
func ExampleNotifier_Redrive() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	notify.RegisterEvent[OrderPaid](n, "shop.order_paid.v1")
	healthy, buried := false, make(chan struct{}, 1)
	notify.On(n, "ledger", func(_ context.Context, e notify.Event[OrderPaid]) error {
		if !healthy {
			return notify.Permanent(fmt.Errorf("order %s is not known", e.Data.Order))
		}
		fmt.Println("booked order", e.Data.Order)
		return nil
	})
	notify.On(n, "alarm", func(_ context.Context, e notify.Event[notify.DeadLettered]) error {
		select {
		case buried <- struct{}{}:
		default: // told before
		}
		return nil
	})
	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := notify.Emit(ctx, n, OrderPaid{Order: "7"}); err != nil {
		log.Fatal(err)
	}
	<-buried
	letters, err := n.DeadLetters(ctx, "ledger", "", 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, letter := range letters {
		fmt.Println(letter.Observer, letter.Event.Type, letter.Error)
	}
	healthy = true // the cause is mended
	handled, err := n.Redrive(ctx, "ledger")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("handled", handled)
	if err := n.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// ledger shop.order_paid.v1 order 7 is not known
	// booked order 7
	// handled 1
}
