// Command redis runs notify on Redis streams, by way of Watermill's Redis
// Pub/Sub. It starts a Redis in the process, or uses one of yours, in which it
// leaves streams whose names begin with "notify.":
//
//	go run ./examples/redis
//	go run ./examples/redis -redis localhost:6379
//
// docs/adapters.md says what each setting in pubsub.go is for.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func main() {
	addr := flag.String("redis", "", "`HOST:PORT` of a Redis, 6.2 or later; empty starts a miniredis in this process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, addr string) error {
	screen := &screen{out: out}
	if addr == "" {
		server, err := miniredis.Run()
		if err != nil {
			return fmt.Errorf("start a miniredis: %w", err)
		}
		defer server.Close()
		addr = server.Addr()
		screen.printf("redis      none was given: a miniredis in this process listens on %s, and keeps everything in memory\n", addr)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	carrier, err := open(addr, settings{}, logger)
	if err != nil {
		return err
	}
	n, err := notify.New(notify.Config{
		Backend: carrier,
		// Redis carries messages and nothing else. Records in memory are lost
		// with the process: a program that has to survive it keeps them in
		// PostgreSQL.
		Records: memory.NewRecords(),
		// The key of the hashes that stand for addresses: read yours from where
		// your secrets are.
		AddressKey: []byte("an example, and no secret"),
		Logger:     logger,
	})
	if err != nil {
		return err
	}
	notify.Use(n, printer{screen})

	// Two observers are two consumer groups: each gets every event, at its own
	// pace.
	audit, alerts := newTally(), newTally()
	notify.On(n, "audit", func(_ context.Context, e notify.Event[any]) error {
		screen.printf("audit      %s of %s\n", e.Type, e.NotificationID)
		audit.add(e.Type, e.NotificationID)
		return nil
	})
	var failed atomic.Bool
	notify.On(n, "alerts", func(_ context.Context, e notify.Event[notify.Sent]) error {
		if failed.CompareAndSwap(false, true) { // the event stays pending in Redis, and comes again
			screen.printf("alerts     fails once\n")
			return errors.New("not this time")
		}
		screen.printf("alerts     %s went out by %s\n", e.NotificationID, e.Data.Provider)
		alerts.add(e.Type, e.NotificationID)
		return nil
	})

	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		return err
	}
	if err := sendAll(ctx, n, screen); err != nil {
		return err
	}
	// The backend does not say how far a group has read, so Close cannot wait
	// for the observers as it does in memory: wait for what they have to do.
	if err := audit.wait(ctx, "notify.settled.v1", len(people)); err != nil {
		return err
	}
	if err := alerts.wait(ctx, "notify.sent.v1", len(people)); err != nil {
		return err
	}
	if err := n.Close(ctx); err != nil {
		return err
	}
	screen.printf("done       %d notifications, %d events seen by audit, %d by alerts\n", len(people), audit.total(), alerts.total())
	return nil
}

// people get a notification each.
var people = []string{"ann", "bob", "eve"}

// sendAll sends a notification to everybody, and waits until all have settled.
func sendAll(ctx context.Context, n *notify.Notifier, screen *screen) error {
	var ids []string
	for _, name := range people {
		id, err := n.Send(ctx, notify.Notification{
			To: notify.Recipient{ID: name, Name: name, Addresses: map[notify.Channel]string{
				notify.EmailChannel: name + "@example.com",
			}},
			Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
			Route:   notify.First(notify.EmailChannel),
		})
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	for _, id := range ids {
		status, err := n.Wait(ctx, id)
		if err != nil {
			return err
		}
		screen.printf("settled    %s: %s\n", id, status.State)
		if status.State != notify.StateSent {
			return fmt.Errorf("notification %s ended as %s", id, status.State)
		}
	}
	return nil
}
