package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// Two Notifiers that share a backend replay to one observer at once: the first is
// told that it has no place any more, and does not take the second's.
func TestReplayOfTwoNotifiers(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		shared := memory.New()
		defer shared.Close()
		open := func() *notifytest.Bench {
			one := notifytest.Open(t, func(c *notify.Config) { c.Backend, c.KeepBackend = shared, true })
			notify.RegisterEvent[paid](one.Notifier, "shop.paid.v1")
			return one
		}
		first, second := open(), open()
		defer second.Close()
		defer first.Close()
		slow := make(chan struct{})
		view := &history{}
		observe := func(ctx context.Context, e notify.Event[paid]) error {
			<-slow
			return view.observe(ctx, notify.Event[any]{Envelope: e.Envelope})
		}
		notify.On(first.Notifier, "view", observe, replaySafe)
		notify.On(second.Notifier, "view", observe, replaySafe)
		first.Start()
		second.Start()
		emit := func(id string) {
			_, err := notify.Emit(t.Context(), first.Notifier, paid{}, func(e *notify.Envelope) { e.ID, e.NotificationID = id, id })
			require.NoError(t, err)
		}
		for _, id := range []string{"e-1", "e-2", "e-3"} {
			emit(id)
		}
		b.Pass(time.Hour)
		since := time.Now()
		b.Pass(time.Second)
		emit("e-4")
		replay := func(n *notify.Notifier, from time.Time) <-chan error {
			ended := make(chan error, 1)
			go func() { ended <- n.Replay(context.WithoutCancel(t.Context()), "view", from) }()
			b.Pass(time.Second)
			return ended
		}
		one := replay(first.Notifier, time.Time{})
		other := replay(second.Notifier, since)
		close(slow)
		err := <-one
		require.ErrorContains(t, err, "another process")
		require.NotErrorIs(t, err, notify.ErrNotFound)
		require.NoError(t, <-other)
		require.GreaterOrEqual(t, view.times("e-4"), 2)
	})
}
