package notify_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
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
