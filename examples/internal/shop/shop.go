// Package shop is a program that sends notifications, whatever backend it has:
// the one that the examples run.
package shop

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/providers/smtp"
)

// Mail says where mail goes, and from whom to whom.
type Mail struct {
	Server   string // HOST:PORT; empty starts one in this process
	From, To string
}

// Flags defines the flags that set it.
func (m *Mail) Flags(flags *flag.FlagSet) {
	flags.StringVar(&m.Server, "smtp", "", "`HOST:PORT` of an SMTP server; empty starts one in this process")
	flags.StringVar(&m.To, "to", "ann@example.com", "`ADDRESS` of the recipient")
	flags.StringVar(&m.From, "from", "shop@example.com", "`ADDRESS` of the sender")
}

// Run makes a Notifier of the config, sends two notifications, and prints what
// becomes of them.
func Run(ctx context.Context, out io.Writer, config notify.Config, mail Mail) error {
	screen := &screen{out: out}
	if mail.Server == "" {
		inbox, err := startInbox(screen)
		if err != nil {
			return err
		}
		defer inbox.stop()
		mail.Server = inbox.addr
	}

	n, err := notify.New(config)
	if err != nil {
		return err
	}

	store := timeline.NewMemory()
	thanks := make(chan string, 1)
	register(n, mail, screen, store, thanks)

	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		return err
	}

	id, err := n.Send(ctx, notify.Notification{
		To: notify.Recipient{ID: "u_42", Name: "Ann", Addresses: map[notify.Channel]string{
			notify.PushChannel:  "token-of-her-phone",
			notify.EmailChannel: mail.To,
		}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way.", URL: "https://shop.example.com/orders/7"},
		Route:   notify.First(notify.PushChannel, notify.EmailChannel),
	})
	if err != nil {
		return err
	}
	if err := settle(ctx, n, screen, "the first notification", id); err != nil {
		return err
	}

	// Something else happens in the shop, and the third observer takes it up.
	if _, err := notify.Emit(ctx, n, OrderPaid{Order: "7", Amount: "49.00 EUR"}); err != nil {
		return err
	}
	select {
	case second := <-thanks:
		if err := settle(ctx, n, screen, "the second notification", second); err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}

	// Close waits until the observers have caught up.
	if err := n.Close(ctx); err != nil {
		return err
	}
	return printTimeline(ctx, screen, store)
}

// register says how to reach people, and who observes.
func register(n *notify.Notifier, mail Mail, screen *screen, store timeline.Store, thanks chan<- string) {
	// A push service that is out of order, and e-mail.
	notify.Use(n, brokenPush{})
	notify.Use(n, smtp.New(smtp.Config{Addr: mail.Server, From: mail.From}))

	// Three observers. The first gets the events of one type.
	notify.On(n, "failovers", func(_ context.Context, e notify.Event[notify.FailedOver]) error {
		screen.printf("observer   %s failed (%s): going on with %s\n", e.Data.From.Channel, e.Data.Failure.Code, e.Data.To.Channel)
		return nil
	})
	// The second keeps a view of every notification.
	n.Attach(timeline.New(store))
	// The third answers an event of our own with another notification.
	registerOrders(n, mail.To, thanks)
	// And everything that happens is printed as it happens.
	notify.On(n, "printer", func(_ context.Context, e notify.Event[any]) error {
		screen.event(e)
		return nil
	})
}

func settle(ctx context.Context, n *notify.Notifier, screen *screen, what, id string) error {
	status, err := n.Wait(ctx, id)
	if err != nil {
		return err
	}
	screen.printf("settled    %s: %s\n", what, status.State)
	if status.State != notify.StateSent {
		return fmt.Errorf("%s ended as %s", what, status.State)
	}
	return nil
}
