package notify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// history has the IDs of the events that an observer handled.
type history struct {
	mu   sync.Mutex
	ids  []string
	fail func(e notify.Event[any], times int) error // for the nth time that it comes; nil: never
}

func (s *history) observe(_ context.Context, e notify.Event[any]) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, e.ID)
	if s.fail != nil {
		return s.fail(e, s.timesLocked(e.ID))
	}
	return nil
}

func (s *history) timesLocked(id string) (n int) {
	for _, one := range s.ids {
		if one == id {
			n++
		}
	}
	return n
}

func (s *history) times(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.timesLocked(id)
}

func replaySafe(o *notify.Observer) { o.ReplaySafe = true }

// One observer gets what was raised from a time on once more, and nobody else
// does; what is raised meanwhile comes as ever.
func TestReplay(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		view, other := &history{}, &history{}
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.On(b.Notifier, "view", view.observe, replaySafe)
		notify.On(b.Notifier, "other", other.observe, replaySafe)
		old := b.Send(toAnna(notify.EmailChannel))
		b.Settle(old)
		b.Pass(time.Hour)
		since := time.Now()
		b.Pass(time.Second)
		young := b.Send(toAnna(notify.EmailChannel))
		b.Settle(young)
		b.Rest()

		require.NoError(t, b.Notifier.Replay(t.Context(), "view", since))
		last := b.Send(toAnna(notify.EmailChannel))
		b.Settle(last)
		b.Rest()
		for id, want := range map[string]int{old: 1, young: 2, last: 1} {
			for _, e := range b.Events(id) {
				require.Equal(t, want, view.times(e.ID), e.ID)
				require.Equal(t, 1, other.times(e.ID), e.ID)
			}
		}
		require.NoError(t, b.Notifier.Replay(t.Context(), "view", time.Time{}), "all that there is")
		for id, want := range map[string]int{old: 2, young: 3, last: 2} {
			for _, e := range b.Events(id) {
				require.Equal(t, want, view.times(e.ID), e.ID)
			}
		}
	})
}

// What fails in a replay is tried again, and counts.
func TestReplayRetries(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		view := &history{}
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.On(b.Notifier, "view", view.observe, replaySafe)
		id := b.Send(toAnna(notify.EmailChannel))
		b.Settle(id)
		b.Rest()
		before := observerStats(t, b, "view")
		view.fail = func(e notify.Event[any], times int) error {
			if e.NotificationID == id && times == 2 {
				return errHandler
			}
			return nil
		}
		require.NoError(t, b.Notifier.Replay(t.Context(), "view", time.Time{}))
		events := b.Events(id)
		for _, e := range events {
			require.Equal(t, 3, view.times(e.ID))
		}
		after := observerStats(t, b, "view")
		require.EqualValues(t, len(events), after.Retries-before.Retries)
		require.GreaterOrEqual(t, after.Invocations-before.Invocations, int64(2*len(events)))
	})
}

func observerStats(t *testing.T, b *notifytest.Bench, name string) notify.ObserverStats {
	t.Helper()
	stats := b.Notifier.Stats(t.Context())
	i := slices.IndexFunc(stats.Observers, func(o notify.ObserverStats) bool { return o.Name == name })
	require.NotEqual(t, -1, i)
	return stats.Observers[i]
}

// A replay that is given up, or whose observer leaves, ends, and leaves no group
// behind that would hold the log back.
func TestReplayEnds(t *testing.T) {
	t.Parallel()
	shared := memory.New()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		view := &history{}
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		notify.On(b.Notifier, "view", view.observe, replaySafe, func(o *notify.Observer) { o.Retry.Attempts = -1 })
		b.Settle(b.Send(toAnna(notify.EmailChannel)))
		b.Rest()
		view.fail = func(notify.Event[any], int) error { return errHandler } // for ever
		left := func() error {
			_, err := shared.Lag(t.Context(), "notify.events", "notify-replay.view")
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, b.Notifier.Replay(ctx, "view", time.Time{}), context.DeadlineExceeded)
		require.ErrorIs(t, left(), backend.ErrNotFound)

		ended, waiting := make(chan error, 1), make(chan error, 1)
		go func() { ended <- b.Notifier.Replay(context.WithoutCancel(t.Context()), "view", time.Time{}) }()
		b.Pass(time.Minute)
		go func() { waiting <- b.Notifier.Replay(context.WithoutCancel(t.Context()), "view", time.Time{}) }()
		b.Pass(time.Minute)
		require.NoError(t, b.Notifier.Detach(t.Context(), "view"))
		require.ErrorIs(t, <-ended, notify.ErrClosed)
		require.ErrorIs(t, <-waiting, notify.ErrClosed)
		require.ErrorIs(t, left(), backend.ErrNotFound)
	}, func(c *notify.Config) { c.Backend = shared })
}

// One to an observer that is paused does not wait for the end of the pause.
func TestReplayToAPausedObserverEnds(t *testing.T) {
	inForms(t, forms, func(t *testing.T, b *notifytest.Bench) {
		view := &history{}
		view.fail = func(notify.Event[any], int) error { return notify.Permanent(errHandler) }
		notify.RegisterEvent[paid](b.Notifier, "shop.paid.v1")
		notify.On(b.Notifier, "view", view.observe, replaySafe, func(o *notify.Observer) { o.Concurrency = 1 })
		b.Start()
		for n := range 40 {
			_, err := notify.Emit(t.Context(), b.Notifier, paid{}, func(e *notify.Envelope) { e.NotificationID = fmt.Sprint("n-", n) })
			require.NoError(t, err)
		}
		b.Pass(time.Second)
		require.True(t, observerStats(t, b, "view").Paused)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, b.Notifier.Replay(ctx, "view", time.Time{}), context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestReplayIsRefused(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		notify.On(b.Notifier, "sends", (&history{}).observe)
		notify.On(b.Notifier, "view", (&history{}).observe, replaySafe)
		require.ErrorContains(t, b.Notifier.Replay(t.Context(), "view", time.Time{}), "call Run")
		b.Start()
		require.ErrorIs(t, b.Notifier.Replay(t.Context(), "nobody", time.Time{}), notify.ErrNotFound)
		err := b.Notifier.Replay(t.Context(), "sends", time.Time{})
		require.ErrorIs(t, err, notify.ErrUnsupported)
		require.ErrorContains(t, err, "Observer.ReplaySafe")
		require.NoError(t, b.Notifier.Replay(t.Context(), "view", time.Time{}))
		b.Close()
		require.ErrorIs(t, b.Notifier.Replay(t.Context(), "view", time.Time{}), notify.ErrClosed)
	})
}

// Many events, some of which are raised while it runs: none is missed.
func TestReplayCutsOverWithoutAGap(t *testing.T) {
	inForms(t, forms, func(t *testing.T, b *notifytest.Bench) {
		view := &history{}
		notify.RegisterEvent[paid](b.Notifier, "shop.paid.v1")
		notify.On(b.Notifier, "view", view.observe, replaySafe)
		b.Start()
		emit := func(from, to int) {
			for n := from; n < to; n++ {
				_, err := notify.Emit(context.WithoutCancel(t.Context()), b.Notifier, paid{}, func(e *notify.Envelope) {
					e.ID, e.NotificationID = fmt.Sprint("e-", n), fmt.Sprint("n-", n%7)
				})
				if err != nil && !errors.Is(err, notify.ErrClosed) {
					t.Error(err)
				}
			}
		}
		emit(0, 500)
		b.Rest()
		done := make(chan struct{})
		go func() {
			defer close(done)
			emit(500, 1000)
		}()
		require.NoError(t, b.Notifier.Replay(t.Context(), "view", time.Time{}))
		<-done
		b.Rest()
		for n := range 1000 {
			times := view.times(fmt.Sprint("e-", n))
			if n < 500 {
				require.Equal(t, 2, times, n)
			} else {
				require.GreaterOrEqual(t, times, 1, n)
			}
		}
	})
}
