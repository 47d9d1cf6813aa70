package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/telemetry"
)

// shop is a host of notify.
type shop struct {
	notifier *notify.Notifier
	ended    chan error
	sent     []string // the notifications
}

// open starts the shop. Its providers and observers are as they are in life: one
// is slow, one fails now and then, one cannot handle some events at all.
func open(ctx context.Context, t *observed) (*shop, error) {
	n, err := notify.New(notify.Config{Source: "shop", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	soon := func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { return 5 * time.Millisecond } }
	notify.Use(n, &mail{service: service{name: "mail", failsEvery: 7}}, soon)
	notify.Use(n, &text{service: service{name: "text", slow: 2 * time.Millisecond, cost: notify.Cost{Micros: 45_000, Currency: "EUR"}}}, soon)

	again := func(o *notify.Observer) {
		o.Retry = notify.Retry{Attempts: 3, Backoff: func(int) time.Duration { return time.Millisecond }}
	}
	notify.On(n, "orders-view", func(context.Context, notify.Event[any]) error { return nil })
	notify.On(n, "receipts", func(context.Context, notify.Event[notify.Sent]) error {
		time.Sleep(3 * time.Millisecond) // a service that takes its time
		return nil
	})
	var mu sync.Mutex
	tried := map[string]bool{}
	notify.On(n, "crm", func(_ context.Context, e notify.Event[notify.Settled]) error {
		mu.Lock()
		defer mu.Unlock()
		if first := !tried[e.ID]; first && len(tried)%10 == 0 {
			tried[e.ID] = true
			return errors.New("the CRM is busy")
		}
		tried[e.ID] = true
		return nil
	}, again)
	notify.On(n, "accounting", func(_ context.Context, e notify.Event[notify.Sent]) error {
		if e.Data.Cost.Currency == "" && e.Tenant == "south" {
			return notify.Permanent(errors.New("no price"))
		}
		return nil
	}, again)
	n.Attach(telemetry.New(t.config()))

	s := &shop{notifier: n, ended: make(chan error, 1)}
	go func() { s.ended <- n.Run(context.WithoutCancel(ctx)) }()
	if err := n.Ready(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// order sends what there is to say about an order.
func (s *shop) order(ctx context.Context, number int) error {
	tenant := []string{"north", "south", "east"}[number%3]
	route := notify.First(notify.EmailChannel)
	if number%5 == 0 {
		route = notify.First(notify.SMSChannel)
	}
	id, err := s.notifier.Send(ctx, notify.Notification{
		To: notify.Recipient{ID: "u_" + strconv.Itoa(number), Addresses: map[notify.Channel]string{
			notify.EmailChannel: "ann@example.com", notify.SMSChannel: "+4915112345678",
		}},
		Content: notify.Content{Title: "Shipped", Body: "Order " + strconv.Itoa(number) + " is on its way."},
		Route:   route,
		Tenant:  tenant,
	})
	if err != nil {
		return fmt.Errorf("order %d: %w", number, err)
	}
	if s.sent = append(s.sent, id); len(s.sent) > 1000 {
		s.sent = s.sent[1:]
	}
	return nil
}

// settle waits until the observers have handled all that came of the orders.
func (s *shop) settle(ctx context.Context) error {
	for _, id := range s.sent {
		if _, err := s.notifier.Wait(ctx, id); err != nil {
			return err
		}
	}
	for _, id := range s.sent {
		err := s.notifier.Handled(ctx, id, "orders-view", "receipts", "crm", "accounting")
		if err != nil && !errors.Is(err, notify.ErrDeadLetter) {
			return err
		}
	}
	return nil
}

func (s *shop) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(s.notifier.Close(ctx), <-s.ended)
}
