package notify_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// paid is a host's event.
type paid struct {
	Order string   `json:"order"`
	Items []string `json:"items,omitempty"`
}

// shipped is what answers it.
type shipped struct {
	Order string `json:"order"`
}

var errBroken = errors.New("broken")

// busTest is a running bus in virtual time.
type busTest struct {
	*notify.Notifier
	*testing.T
	ctx context.Context
	log *safeBuffer
}

// onBus runs a test in virtual time on the bus alone: with events that stay
// values, and with events in their wire form. The function registers what is
// there from the start, then calls run.
func onBus(t *testing.T, f func(b *busTest), options ...func(*notify.Config)) {
	t.Helper()
	for name, config := range map[string]func() notify.Config{
		"values": func() notify.Config { return notify.Config{Backend: memory.New()} },
		"wire":   func() notify.Config { return notify.Config{Backend: notifytest.WireOnly(memory.New())} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runBus(t, config(), f, options...) })
		})
	}
}

func runBus(t *testing.T, config notify.Config, f func(b *busTest), options ...func(*notify.Config)) {
	log := &safeBuffer{}
	config.Logger = slog.New(slog.NewTextHandler(log, nil))
	config.DrainTimeout = time.Second
	for _, option := range options {
		option(&config)
	}
	n, err := notify.New(config)
	require.NoError(t, err)
	notify.RegisterEvent[paid](n, "shop.paid.v1")
	notify.RegisterEvent[shipped](n, "shop.shipped.v1")
	defer synctest.Wait()
	defer func() { _ = n.Close(context.Background()) }()
	f(&busTest{Notifier: n, T: t, ctx: context.Background(), log: log})
}

// run starts the bus.
func (b *busTest) run() {
	b.Helper()
	go func() { _ = b.Notifier.Run(context.Background()) }()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	require.NoError(b, b.Ready(ctx))
}

// pay emits an event about a notification, so that events have keys.
func (b *busTest) pay(order, notification string) string {
	b.Helper()
	id, err := notify.Emit(b.ctx, b.Notifier, paid{Order: order}, func(e *notify.Envelope) { e.NotificationID = notification })
	require.NoError(b, err)
	return id
}

// stats are those of an observer.
func (b *busTest) stats(name string) notify.ObserverStats {
	b.Helper()
	for _, s := range b.Stats(b.ctx).Observers {
		if s.Name == name {
			return s
		}
	}
	b.Fatalf("there is no observer %s", name)
	return notify.ObserverStats{}
}

func (b *busTest) letters(observer string) []notify.DeadLetter {
	b.Helper()
	letters, err := b.DeadLetters(b.ctx, observer, "", 0)
	require.NoError(b, err)
	return letters
}

// seen collects what handlers see.
type seen[T any] struct {
	mu  sync.Mutex
	all []T
}

func (s *seen[T]) add(v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, v)
}

func (s *seen[T]) list() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]T(nil), s.all...)
}

// orders is a handler that collects the orders paid.
func (s *seen[T]) handle(_ context.Context, e notify.Event[T]) error {
	s.add(e.Data)
	return nil
}

type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// every is a constant back-off.
func every(pause time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return pause }
}

type middleware = message.HandlerMiddleware

// backends are the two forms of events, for a test with a backend of its own.
func backends() map[string]func(notifytest.FullBackend) notify.Backend {
	return map[string]func(notifytest.FullBackend) notify.Backend{
		"values": func(b notifytest.FullBackend) notify.Backend { return b },
		"wire":   func(b notifytest.FullBackend) notify.Backend { return notifytest.WireOnly(b) },
	}
}
