package notify_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

var errBackend = errors.New("broken pipe")

// shaky is a backend that can be made to fail.
type shaky struct {
	*memory.Backend
	reading, records   atomic.Bool
	positions, letters atomic.Bool
}

func (s *shaky) Lag(ctx context.Context, topic, group string) (int64, error) {
	if s.positions.Load() {
		return 0, errBackend
	}
	return s.Backend.Lag(ctx, topic, group)
}

func (s *shaky) CountLetters(ctx context.Context) (map[string]int64, error) {
	if s.letters.Load() {
		return nil, errBackend
	}
	return s.Backend.CountLetters(ctx)
}

func (s *shaky) Consume(ctx context.Context, c backend.Consumption) error {
	if s.reading.Load() && c.Topic == "notify.route" {
		return errBackend
	}
	return s.Backend.Consume(ctx, c)
}

func (s *shaky) Load(ctx context.Context, id string) (backend.Record, error) {
	if s.records.Load() {
		return backend.Record{}, errBackend
	}
	return s.Backend.Load(ctx, id)
}

type refusing struct{}

func (refusing) Name() string { return "refusing" }

func (refusing) Send(context.Context, notify.Delivery[notify.SMS]) (notify.Receipt, error) {
	return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &shaky{Backend: memory.New()}
		b.reading.Store(true)
		n, err := notify.New(notify.Config{Backend: b, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		notify.RegisterEvent[paid](n, "shop.paid.v1")
		notify.Use(n, refusing{}, func(c *notify.ProviderConfig) { c.BreakerFailures, c.Attempts = 1, 1 })
		notify.On(n, "broken", func(context.Context, notify.Event[paid]) error { return notify.Permanent(errHandler) })
		require.ErrorContains(t, n.Health(t.Context()).Err(), "not running")

		ended := make(chan error, 1)
		go func() { ended <- n.Run(context.WithoutCancel(t.Context())) }()
		require.NoError(t, n.Ready(t.Context()))
		synctest.Wait()
		failing := n.Health(t.Context())
		require.True(t, failing.Running)
		require.ErrorIs(t, failing.Err(), errBackend)
		require.ErrorContains(t, failing.Err(), "consuming notify.route")
		require.Len(t, failing.Failing, 1)
		time.Sleep(time.Hour)
		require.Error(t, n.Health(t.Context()).Err(), "it is tried again and again")

		b.reading.Store(false)
		time.Sleep(2 * time.Minute)
		require.Equal(t, notify.Health{Running: true}, n.Health(t.Context()))

		b.records.Store(true)
		require.ErrorContains(t, n.Health(t.Context()).Err(), "the records do not answer")
		b.records.Store(false)

		_, err = n.Send(t.Context(), notify.Notification{
			To:      notify.Recipient{ID: "u_1", Addresses: map[notify.Channel]string{notify.SMSChannel: "+4915112345678"}},
			Content: notify.Content{Body: "Hello"}, Route: notify.First(notify.SMSChannel),
		})
		require.NoError(t, err)
		for range 20 {
			_, err := notify.Emit(t.Context(), n, paid{})
			require.NoError(t, err)
		}
		synctest.Wait() // now it pauses
		for range 5 {
			_, err := notify.Emit(t.Context(), n, paid{})
			require.NoError(t, err)
		}
		synctest.Wait()
		ill := n.Health(t.Context())
		require.NoError(t, ill.Err(), "a restart would not help")
		require.Equal(t, []string{"refusing"}, ill.ProvidersDown)
		require.Equal(t, []string{"broken"}, ill.ObserversPaused)
		left, err := n.DeadLetters(t.Context(), "broken", "", 100)
		require.NoError(t, err)
		require.Equal(t, map[string]int64{"broken": int64(len(left))}, ill.DeadLetters)
		require.Equal(t, map[string]int64{"broken": int64(25 - len(left))}, ill.Lag, "what is neither handled nor given up")

		b.positions.Store(true)
		require.ErrorContains(t, n.Health(t.Context()).Err(), "does not tell positions")
		b.positions.Store(false)
		b.letters.Store(true)
		require.ErrorContains(t, n.Health(t.Context()).Err(), "the dead letters do not answer")
		b.letters.Store(false)

		require.NoError(t, n.Close(context.WithoutCancel(t.Context())))
		require.NoError(t, <-ended)
		require.ErrorContains(t, n.Health(t.Context()).Err(), "not running")
	})
}

// Whose backend is closed by others is told what happened.
func TestHealthOfABackendThatOthersClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		n, err := notify.New(notify.Config{Backend: b, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		notify.On(n, "all", func(context.Context, notify.Event[any]) error { return nil })
		ran := make(chan error, 1)
		go func() { ran <- n.Run(context.Background()) }()
		require.NoError(t, n.Ready(t.Context()))
		synctest.Wait() // it consumes
		require.NoError(t, b.Close())
		synctest.Wait()
		require.ErrorContains(t, n.Health(t.Context()).Err(), "did somebody else close it?")
		_ = n.Close(context.Background())
		<-ran
	})
}
