package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestNothingWorksAfterClose(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Close()
		n, ctx := b.Notifier, t.Context()
		_, err := n.Send(ctx, toAnna(notify.EmailChannel))
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.SendBatch(ctx, []notify.Notification{toAnna(notify.EmailChannel)})
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Cancel(ctx, id)
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Explain(ctx, toAnna(notify.EmailChannel))
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Status(ctx, id)
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = n.Wait(ctx, id)
		require.ErrorIs(t, err, notify.ErrClosed)
		_, err = notify.Emit(ctx, n, notify.Opened{})
		require.ErrorIs(t, err, notify.ErrClosed)
		require.ErrorIs(t, n.Report(ctx, notify.Report{Key: id + ".1.1", Event: notify.Opened{}}), notify.ErrClosed)
		require.ErrorIs(t, n.Ready(ctx), notify.ErrClosed)
		require.ErrorIs(t, n.Run(ctx), notify.ErrClosed)
		require.NoError(t, n.Close(ctx), "again")
	})
}

func TestCloseBeforeRun(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		require.NoError(t, b.Notifier.Close(t.Context()))
		require.ErrorIs(t, b.Notifier.Run(t.Context()), notify.ErrClosed)
		_, err := b.Notifier.Send(t.Context(), toAnna(notify.EmailChannel))
		require.ErrorIs(t, err, notify.ErrClosed)
	})
}

// In memory Close lets what was sent be done first.
func TestCloseDrains(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.Succeed().After(time.Second))
		notify.Use(b.Notifier, mail)
		var all []string
		for range 200 {
			all = append(all, b.Send(toAnna(notify.EmailChannel)))
		}
		b.Close()
		require.Equal(t, 200, mail.Effects())
		for _, id := range all {
			b.Require(id, notifytest.Once(notify.Settled{State: notify.StateSent}))
		}
	})
}

// Everything that is wrong is told at once, by whoever asks first.
func TestWrongRegistrationsAreReportedTogether(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		n := b.Notifier
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(n, mail)
		notify.Use(n, mail)
		notify.Use[notify.SMS](n, nil)
		notify.Use(n, notifytest.NewProvider[notify.Push]("no good name"))
		notify.Use(n, notifytest.NewProvider[notify.Chat]("chat"), func(c *notify.ProviderConfig) {
			c.Rate, c.AttemptTimeout = -1, 2*time.Hour
		})
		notify.On[notify.Sent](n, "nil", nil)
		notify.On(n, "", func(context.Context, notify.Event[notify.Sent]) error { return nil })
		notify.On(n, "host's", func(context.Context, notify.Event[pinged]) error { return nil })
		notify.RegisterEvent[pinged](n, "notify.pinged.v1")
		notify.On(n, "pointer", func(context.Context, notify.Event[*notify.Sent]) error { return nil })
		notify.On(n, "number", func(context.Context, notify.Event[int]) error { return nil })
		notify.Use(n, misconfigured{notifytest.NewProvider[notify.Chat]("bad")})
		n.Guard("g", nil)
		n.Guard("", nil)
		n.Attach(nil, broken{})
		notify.Render[notify.SMS](n, nil)

		want := []string{
			"Use(mail): there is a provider of that name",
			"Use[notify.SMS]: the provider is nil",
			"Use[notify.Push]: Name() must return",
			"AttemptTimeout: must be from 0 (the default, 30s) to 1h0m0s", "Attempts, Rate, Burst and Concurrency must not be negative",
			`Observer("nil").Handlers[0]`, `Observer("").Name`, `Observer("host's").Handlers[0]`,
			`RegisterEvent[notify_test.pinged]: the wire name must not begin`,
			`*notify.Sent is not an event: use the struct`, "int is not an event: an event is a struct type",
			"notify: Use(bad).Addr: is required", "notify: Use(bad).From: is required", "notify: Use(bad): has no service",
			`Guard(""): the name must have`, `Guard(""): the guard is nil`,
			`Guard("g"): the guard is nil`, "Attach[0]: is nil", "Attach(notify_test.broken): is broken",
			"Render[notify.SMS]: the function is nil",
		}
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, sendErr := n.Send(t.Context(), toAnna(notify.EmailChannel))
		for name, err := range map[string]error{"Send": sendErr, "Ready": n.Ready(short), "Run": n.Run(t.Context())} {
			for _, text := range want {
				require.ErrorContains(t, err, text, name)
			}
			require.ErrorIs(t, err, errOutOfOrder, name)
		}
	})
}

// misconfigured is a provider that has problems to report.
type misconfigured struct {
	*notifytest.Provider[notify.Chat]
}

func (misconfigured) Check() error {
	return errors.Join(
		&notify.FieldError{Field: "Addr", Problem: "is required"}, &notify.FieldError{Field: "From", Problem: "is required"},
		errors.New("has no service"),
	)
}

type broken struct{}

var errOutOfOrder = errors.New("is broken")

func (broken) Attach(*notify.Notifier) error { return errOutOfOrder }

func TestALateRegistrationIsReportedByReady(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		b.Start()
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("late"))
		b.Notifier.Guard("late", always(notify.Allow()))
		err := b.Notifier.Ready(t.Context())
		require.ErrorContains(t, err, "Use(late): must be registered before Run")
		require.ErrorContains(t, err, `Guard("late"): must be registered before Run`)
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
	})
}

func TestManyLateRegistrationsAreCounted(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		b.Start()
		for i := range 1000 {
			b.Notifier.Guard(fmt.Sprint("late ", i), always(notify.Allow()))
		}
		err := b.Notifier.Ready(t.Context())
		require.Len(t, notify.FieldErrors(err), 100)
		require.ErrorContains(t, err, `Guard("late 99"): must be registered before Run`)
		require.NotContains(t, err.Error(), "late 100")
		require.ErrorContains(t, err, "900 more registrations were refused")
	})
}

// An observer that never returns is named, and nobody waits for it.
func TestCloseNamesAnObserverThatNeverReturns(t *testing.T) {
	t.Parallel()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			config := notify.Config{DrainTimeout: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
			form.config(&config)
			n, err := notify.New(config)
			require.NoError(t, err)
			notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
			release := make(chan struct{})
			entered := make(chan struct{}, 1)
			notify.On(n, "stuck", func(context.Context, notify.Event[notify.Sent]) error {
				entered <- struct{}{}
				<-release
				return nil
			})
			ran := make(chan error, 1)
			go func() { ran <- n.Run(context.Background()) }()
			require.NoError(t, n.Ready(t.Context()))
			_, err = n.Send(t.Context(), toAnna(notify.EmailChannel))
			require.NoError(t, err)
			<-entered
			began := time.Now()
			err = n.Close(t.Context())
			require.ErrorContains(t, err, "observer stuck")
			require.NotContains(t, err.Error(), "deliver step")
			require.Less(t, time.Since(began), 20*time.Second)
			require.ErrorContains(t, <-ran, "observer stuck")
			close(release)
		})
	}
}

// closing is a provider with a Close of its own.
type closing struct {
	*notifytest.Provider[notify.Email]
	close func() error
}

func (c closing) Close() error { return c.close() }

// A provider whose Close never returns is named, and nobody waits for it: the
// others and the backend are closed. The bubble checks that nothing is left once
// it does return.
func TestCloseNamesAProviderThatDoesNotClose(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run      bool
		deadline time.Duration
		took     time.Duration
	}{
		"by the deadline":                 {true, 5 * time.Second, 6 * time.Second},
		"by the drain timeout":            {true, time.Hour, 31 * time.Second},
		"by the deadline, before Run":     {false, 5 * time.Second, 6 * time.Second},
		"by the drain timeout before Run": {false, time.Hour, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
				require.NoError(t, err)
				release := make(chan struct{})
				closed := 0
				notify.Use(n, closing{notifytest.NewProvider[notify.Email]("stuck"), func() error {
					<-release
					return nil
				}})
				notify.Use(n, closing{notifytest.NewProvider[notify.Email]("broken"), func() error { panic("no") }})
				notify.Use(n, closing{notifytest.NewProvider[notify.Email]("good"), func() error {
					closed++
					return nil
				}})
				ran := make(chan error, 1)
				if test.run {
					go func() { ran <- n.Run(t.Context()) }()
					require.NoError(t, n.Ready(t.Context()))
				}
				ctx, stop := context.WithTimeout(t.Context(), test.deadline)
				defer stop()
				began := time.Now()
				err = n.Close(ctx)
				require.Equal(t, test.took, time.Since(began))
				require.ErrorContains(t, err, "still running at the end of the drain: Close of the provider stuck")
				require.ErrorContains(t, err, "close the provider broken: panic")
				require.NotContains(t, err.Error(), "good")
				require.Equal(t, 1, closed)
				require.Equal(t, err, n.Close(t.Context()), "again")
				if test.run {
					require.Equal(t, err, <-ran)
				}
				close(release)
			})
		})
	}
}

// A handler that honours its context is told when the drain is over, and is not
// named.
func TestTheEndOfTheDrainEndsTheHandlersContext(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		var ended atomic.Bool
		notify.On(b.Notifier, "patient", func(ctx context.Context, _ notify.Event[notify.Sent]) error {
			<-ctx.Done()
			ended.Store(true)
			return ctx.Err()
		}, func(o *notify.Observer) { o.Timeout = -1 })
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		require.False(t, ended.Load())
		b.Close()
		require.True(t, ended.Load())
	})
}

// Not parallel: it counts the goroutines and descriptors of the process.
func TestAThousandCyclesLeaveNothing(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			cycle(t, form) // what is opened once in a process
			leak := goleak.IgnoreCurrent()
			before := descriptors(t)
			for range 1000 {
				cycle(t, form)
			}
			goleak.VerifyNone(t, leak)
			require.Equal(t, before, descriptors(t))
		})
	}
}

func cycle(t *testing.T, f form) {
	t.Helper()
	config := notify.Config{Logger: slog.New(slog.DiscardHandler)}
	f.config(&config)
	n, err := notify.New(config)
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	notify.On(n, "any", func(context.Context, notify.Event[any]) error { return nil })
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	_, err = n.Send(t.Context(), toAnna(notify.EmailChannel))
	require.NoError(t, err)
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, <-ran)
}

func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list descriptors")
	}
	return len(open)
}
