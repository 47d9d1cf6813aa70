package webhook_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/notifytest"
)

// A customer's endpoint gets what became of its notifications.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// The customer's side, here on the same machine.
	secret := webhook.NewSecret()
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || webhook.Verify(r.Header, body, secret) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		got <- string(body)
	}))
	defer receiver.Close()
	address := netip.MustParseAddrPort(receiver.Listener.Addr().String())

	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	hooks := webhook.New(webhook.NewMemory(), func(c *webhook.Config) {
		// By default only https on port 443 of public addresses is called.
		c.Network = webhook.Network{
			AllowHTTP: true, Ports: []uint16{address.Port()}, Allow: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)},
		}
		c.Data = func(e notify.Event[any]) (any, error) {
			if sent, ok := e.Data.(notify.Sent); ok {
				return map[string]any{"channel": sent.Channel, "provider": sent.Provider}, nil
			}
			return struct{}{}, nil
		}
	})
	n.Attach(hooks)
	notify.Use(n, notifytest.NewProvider[notify.Email]("smtp"))
	go n.Run(ctx)
	if err := n.Ready(ctx); err != nil {
		panic(err)
	}
	err = hooks.Put(ctx, webhook.Endpoint{
		ID: "ep_1", Tenant: "shop", URL: receiver.URL, Secrets: []webhook.Secret{secret}, Types: []string{"notify.sent.v1"},
	})
	if err != nil {
		panic(err)
	}

	_, err = n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
		Tenant:  "shop",
	})
	if err != nil {
		panic(err)
	}
	body := <-got
	fmt.Println(body[:24], "...", body[len(body)-45:])
	if err := n.Close(ctx); err != nil {
		panic(err)
	}
	page, err := hooks.Attempts(ctx, webhook.AttemptQuery{EndpointID: "ep_1"})
	if err != nil {
		panic(err)
	}
	fmt.Println(page.Attempts[0].Type, page.Attempts[0].Status)
	// Output:
	// {"type":"notify.sent.v1" ... "data":{"channel":"email","provider":"smtp"}}
	// notify.sent.v1 200
}
