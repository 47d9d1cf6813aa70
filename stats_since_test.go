package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// No two observers have the same Since, also at one time; one that is registered
// again goes on with its own, and is there meanwhile.
func TestSince(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		began := time.Now()
		seen := map[int64]string{}
		on := func(name string) {
			notify.On(b.Notifier, name, func(context.Context, notify.Event[notify.Opened]) error { return nil })
			for _, o := range b.Notifier.Stats(context.Background()).Observers {
				if o.Name == name {
					if seen[o.Since.UnixNano()] != "" {
						require.Equal(t, name, seen[o.Since.UnixNano()])
					}
					require.WithinDuration(t, began, o.Since, time.Millisecond)
					seen[o.Since.UnixNano()] = name
				}
			}
		}
		on("other")
		b.Start()
		for range 5 {
			on("again")
			require.NoError(t, b.Notifier.Detach(context.Background(), "again"))
			detached := b.Notifier.Stats(context.Background()).Detached
			require.Len(t, detached, 1)
			require.Equal(t, "again", detached[0].Name)
			require.Equal(t, "again", seen[detached[0].Since.UnixNano()])
		}
		for i := range 150 {
			name := fmt.Sprint("another-", i)
			on(name)
			require.NoError(t, b.Notifier.Detach(context.Background(), name))
		}
		on("again") // it was forgotten
		require.Len(t, seen, 153)
		require.Len(t, b.Notifier.Stats(context.Background()).Detached, 100)
	})
}

// Every observer is in one of the two lists, and in one alone, also if it comes or
// goes while the backend is asked for lags: who adds up would count it twice, or take
// it for one that was forgotten.
func TestStatsWhileObserversComeAndGo(t *testing.T) {
	t.Parallel()
	carrier := &asked{Backend: memory.New()}
	n, err := notify.New(notify.Config{Backend: carrier})
	require.NoError(t, err)
	on := func(name string) {
		notify.On(n, name, func(context.Context, notify.Event[notify.Opened]) error { return nil })
	}
	on("first")
	on("again")
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	count := func() (all int) {
		s := n.Stats(t.Context())
		for _, o := range append(s.Observers, s.Detached...) {
			if o.Name == "again" {
				all++
			}
		}
		return all
	}
	for range 3 {
		carrier.once(func() { require.NoError(t, n.Detach(t.Context(), "again")) })
		require.Equal(t, 1, count(), "it goes meanwhile")
		carrier.once(func() { on("again") })
		require.Equal(t, 1, count(), "it comes meanwhile")
	}
	require.NoError(t, n.Close(context.Background()))
	require.NoError(t, <-ran)
}

// asked does something the next time that it is asked for a lag.
type asked struct {
	*memory.Backend
	next func()
}

func (b *asked) once(do func()) { b.next = do }

func (b *asked) Lag(ctx context.Context, topic, group string) (int64, error) {
	if do := b.next; do != nil {
		b.next = nil
		do()
	}
	return b.Backend.Lag(ctx, topic, group)
}
