// Command cache keeps a page in Redis, and has notify's events make Redis forget
// it when it is no longer true. It starts a Redis in the process, or uses one of
// yours, in which it leaves keys that begin with "inbox:" for a minute:
//
//	go run ./examples/redis/cache
//	go run ./examples/redis/cache -redis localhost:6379
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cache"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func main() {
	addr := flag.String("redis", "", "`HOST:PORT` of a Redis; empty starts a miniredis in this process")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "cache:", err)
		os.Exit(1)
	}
}

// unlink makes Redis forget keys. UNLINK frees them in the background.
type unlink struct{ redis *redis.Client }

func (u unlink) Invalidate(ctx context.Context, keys []string) error {
	return u.redis.Unlink(ctx, keys...).Err()
}

func run(ctx context.Context, out io.Writer, addr string) error {
	if addr == "" {
		server, err := miniredis.Run()
		if err != nil {
			return fmt.Errorf("start a miniredis: %w", err)
		}
		defer server.Close()
		addr = server.Addr()
	}
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	if err := client.Ping(ctx).Err(); err != nil {
		return err
	}
	n, err := notify.New(notify.Config{Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		return err
	}
	notify.Use(n, printer{out})
	view := timeline.NewMemory()
	n.Attach(
		timeline.New(view),
		cache.New(unlink{client}, func(c *cache.Config) {
			c.Rules = []cache.Rule{cache.Keys(func(e notify.Event[notify.Settled]) []string { return []string{inbox(e.RecipientID)} })}
		}),
	)
	go func() { _ = n.Run(ctx) }()
	if err := n.Ready(ctx); err != nil {
		return err
	}
	pages := pages{out: out, redis: client, view: view}
	for range 2 {
		if err := pages.show(ctx, "ann"); err != nil {
			return err
		}
	}
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	})
	if err != nil {
		return err
	}
	if _, err := n.Wait(ctx, id); err != nil {
		return err
	}
	// The view first, then the cache that is filled from it: whoever looks now
	// sees both.
	if err := n.Handled(ctx, id, "timeline", "cache"); err != nil {
		return err
	}
	for range 2 {
		if err := pages.show(ctx, "ann"); err != nil {
			return err
		}
	}
	return n.Close(ctx)
}

// printer stands for a mail service.
type printer struct{ out io.Writer }

func (printer) Name() string { return "printer" }

func (p printer) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	_, err := fmt.Fprintf(p.out, "mail    to %s: %s\n", d.Message.To, d.Message.Subject)
	return notify.Receipt{MessageID: d.Key}, err
}
