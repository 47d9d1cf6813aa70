package notify_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

// No two registrations have the same Since, also of one name and at one time.
func TestSince(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		began := time.Now()
		seen := map[int64]string{}
		on := func(name string) {
			notify.On(b.Notifier, name, func(context.Context, notify.Event[notify.Opened]) error { return nil })
			for _, o := range b.Notifier.Stats(context.Background()).Observers {
				if o.Name == name {
					require.Empty(t, seen[o.Since.UnixNano()])
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
		}
		require.Len(t, seen, 6)
	})
}
