package cost_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/notifytest"
)

// invocations are those of an observer that were counted in a month.
func invocations(t *testing.T, l *cost.Ledger, month, observer string) int64 {
	t.Helper()
	r, err := l.Month(context.Background(), cost.Query{Period: month, Observer: observer})
	require.NoError(t, err)
	if len(r.Lines) == 0 {
		return 0
	}
	require.Len(t, r.Lines, 1)
	return r.Lines[0].Invocations
}

// What an observer used is counted once, also if the store has forgotten what it
// was told before.
func TestUseThatIsForgotten(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := cost.NewMemory(func(c *cost.MemoryConfig) { c.Entries = 10 })
		ledger := cost.New(store, book())
		b.Notifier.Attach(ledger)
		notify.On(b.Notifier, "rare", func(context.Context, notify.Event[notify.Opened]) error { return nil })
		b.Start()
		month := time.Now().UTC().Format("2006-01")
		for round := range int64(4) {
			for range 2 {
				_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
				require.NoError(t, err)
				b.Pass(time.Minute) // which is added to what is known
			}
			require.Equal(t, 2*(round+1), invocations(t, ledger, month, "rare"))
			b.Pass(20 * time.Minute)
			for n := range 20 {
				_, err := store.Put(context.Background(), spending("shop", n, time.Now().Add(time.Duration(n)*time.Second)))
				require.NoError(t, err)
			}
			b.Pass(time.Minute)
		}
	})
}

// While the store is down a month may end: each has its own.
func TestUseOfAMonthThatEndsWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := &shaky{Store: cost.NewMemory()}
		ledger := cost.New(store, book())
		b.Notifier.Attach(ledger)
		var calls atomic.Int64
		notify.On(b.Notifier, "all", func(context.Context, notify.Event[notify.Opened]) error { calls.Add(1); return nil })
		b.Start()
		now := time.Now().UTC()
		end := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		b.Pass(time.Until(end) - time.Hour)
		use := func() {
			_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
			require.NoError(t, err)
			b.Pass(time.Minute)
		}
		use()
		store.down.Store(true)
		use()
		b.Pass(2 * time.Hour)
		use()
		store.down.Store(false)
		b.Pass(10 * time.Minute)
		require.EqualValues(t, 3, calls.Load())
		require.EqualValues(t, 2, invocations(t, ledger, now.Format("2006-01"), "all"))
		require.EqualValues(t, 1, invocations(t, ledger, end.Format("2006-01"), "all"))
	})
}
