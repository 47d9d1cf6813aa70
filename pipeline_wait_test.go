package notify_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestWaitAndStatus(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		mail.Next(notifytest.Throttle(time.Minute))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.ReceiptWindow = time.Minute })
		nt := toAnna(notify.EmailChannel)
		nt.Tenant, nt.Category = "acme", "orders"
		began := time.Now()
		id := b.Send(nt)
		b.Until(id, notify.Retrying{})

		status, err := b.Notifier.Status(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSending, status.State)
		require.False(t, status.Settled)

		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		_, err = b.Notifier.Wait(short, id)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		status, err = b.Notifier.Wait(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, notify.StateSent, status.State)
		require.True(t, status.Settled)
		require.True(t, status.AcceptedAt.Equal(began))
		require.InDelta(t, 2*time.Minute, status.SettledAt.Sub(began), float64(time.Minute))
		require.Equal(t, "anna", status.RecipientID)
		require.Equal(t, "acme", status.Tenant)
		require.Equal(t, "orders", status.Category)
		require.Len(t, status.Legs, 1)
		require.Len(t, status.Legs[0].Attempts, 2)
		require.Equal(t, notify.StateFailed, status.Legs[0].Attempts[0].State)
		require.Equal(t, notify.StateSent, status.Legs[0].Attempts[1].State)
		require.Equal(t, "mail-1", status.Legs[0].Attempts[1].MessageID)

		// A read view that folds the events sees the same.
		b.Rest()
		var fold notify.Fold
		for _, e := range b.Events(id) {
			fold.Add(e)
		}
		require.Equal(t, status, fold.Status())
	})
}

func TestWaitForWhatIsNotKnown(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		b.Start()
		_, err := b.Notifier.Status(t.Context(), "no-such-id")
		require.ErrorIs(t, err, notify.ErrNotFound)
		_, err = b.Notifier.Wait(t.Context(), "no-such-id")
		require.ErrorIs(t, err, notify.ErrNotFound)
		for _, err := range b.Notifier.Watch(t.Context(), "no-such-id") {
			require.ErrorIs(t, err, notify.ErrNotFound)
		}
	})
}

// watched are the events that Watch yields.
func watched(t *testing.T, b *notifytest.Bench, id string) []notify.Event[any] {
	t.Helper()
	var events []notify.Event[any]
	for e, err := range b.Notifier.Watch(t.Context(), id) {
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// Watch shows what the observers see, whether it begins with the notification
// or after its end.
func TestWatch(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		push := notifytest.NewProvider[notify.Push]("push")
		push.Next(notifytest.Throttle(time.Minute), notifytest.FailPermanently(notify.ClassAddress, "410"))
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.Succeed().After(time.Second))
		notify.Use(b.Notifier, push)
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.PushChannel, notify.EmailChannel))
		live := watched(t, b, id)
		b.Settle(id)
		b.Pass(time.Hour)
		after := watched(t, b, id)
		seen := b.Events(id)
		require.Len(t, seen, 13)
		require.Equal(t, ids(seen), ids(live))
		require.Equal(t, ids(seen), ids(after))
		for i := range seen {
			require.Equal(t, seen[i].Data, after[i].Data)
			require.Equal(t, seen[i].Type, after[i].Type)
		}
		require.IsType(t, notify.Settled{}, live[len(live)-1].Data)
	})
}

func ids(events []notify.Event[any]) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.ID)
	}
	return all
}

func TestWatchCanBeLeft(t *testing.T) {
	inEveryForm(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Always(notifytest.Succeed().After(time.Minute))
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.EmailChannel))
		for e, err := range b.Notifier.Watch(t.Context(), id) {
			require.NoError(t, err)
			if _, ok := e.Data.(notify.Sending); ok {
				break
			}
		}
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var last error
		for _, err := range b.Notifier.Watch(short, id) {
			last = err
		}
		require.ErrorIs(t, last, context.DeadlineExceeded)
		b.Settle(id)
	})
}

// counted is a backend that counts how often a record is loaded.
type counted struct {
	*memory.Backend
	loads *atomic.Int64
}

func (c counted) Load(ctx context.Context, id string) (backend.Record, error) {
	c.loads.Add(1)
	return c.Backend.Load(ctx, id)
}

// Who waits looks at the record every second only where others may change it.
func TestWaitersPollOnlyWhatOthersMayChange(t *testing.T) {
	t.Parallel()
	const waiters, seconds = 20, 100
	for name, test := range map[string]struct {
		config func(*notify.Config, counted)
		loads  int64
	}{
		"its own":  {func(c *notify.Config, b counted) { c.Backend = b }, waiters * (seconds / 30)},
		"shared":   {func(c *notify.Config, b counted) { c.Backend, c.KeepBackend = b, true }, waiters * seconds},
		"on wires": {func(c *notify.Config, b counted) { c.Backend = notifytest.WireOnly(b) }, waiters * seconds},
		"apart": {func(c *notify.Config, b counted) {
			c.Backend, c.Records, c.AddressKey = memory.New(), b, []byte("0123456789abcdef")
		}, waiters * seconds},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var loads atomic.Int64
			var own *memory.Backend
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				defer func() { require.NoError(t, own.Close()) }()
				defer b.Close()
				mail := notifytest.NewProvider[notify.Email]("mail", reporting)
				notify.Use(b.Notifier, mail, anHour)
				id := b.Send(toAnna(notify.EmailChannel))
				b.Until(id, notify.Sent{})
				b.Rest()
				var all sync.WaitGroup
				for range waiters {
					all.Go(func() {
						status, err := b.Notifier.Wait(t.Context(), id)
						require.NoError(t, err)
						require.Equal(t, notify.StateDelivered, status.State)
					})
				}
				b.Pass(time.Millisecond)
				before := loads.Load()
				b.Pass(seconds * time.Second)
				require.Equal(t, test.loads, loads.Load()-before)

				reported := time.Now()
				report(t, b, mail, id, notify.Delivered{})
				all.Wait()
				require.Zero(t, time.Since(reported), "it wakes them at once")

				short, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				_, err := b.Notifier.Wait(short, "no-such-id")
				require.ErrorIs(t, err, notify.ErrNotFound)
			}, func(c *notify.Config) {
				own = memory.New()
				test.config(c, counted{own, &loads})
			})
		})
	}
}

// Two Notifiers share a backend in one process: what one does, those who wait
// at the other see.
func TestWaitAtAnotherNotifier(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			var shared *memory.Backend
			notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
				defer func() { require.NoError(t, shared.Close()) }()
				defer b.Close()
				other := notifytest.Open(t, share(form, &shared))
				defer other.Close()
				mail := notifytest.NewProvider[notify.Email]("mail")
				mail.Always(notifytest.Succeed().After(10 * time.Second))
				notify.Use(b.Notifier, mail)
				id := b.Send(toAnna(notify.EmailChannel))
				status, err := other.Notifier.Wait(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, notify.StateSent, status.State)
			}, share(form, &shared))
		})
	}
}

func TestWaitEndsWithClose(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", reporting)
		notify.Use(b.Notifier, mail)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Until(id, notify.Sent{})
		failed := make(chan error, 1)
		go func() {
			_, err := b.Notifier.Wait(t.Context(), id)
			failed <- err
		}()
		b.Rest()
		b.Close()
		require.ErrorIs(t, <-failed, notify.ErrClosed)
	})
}
