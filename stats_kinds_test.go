package notify_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// What an observer did is told by type of event too: each invocation once, the
// failed ones included, and all of its time.
func TestStatsByEventType(t *testing.T) {
	onBus(t, func(b *busTest) {
		failed := false
		notify.On(b.Notifier, "all", func(_ context.Context, e notify.Event[any]) error {
			if e.Type == "shop.paid.v1" {
				time.Sleep(time.Second)
			}
			if e.Type == "shop.shipped.v1" && !failed {
				failed = true
				return errHandler
			}
			return nil
		}, func(o *notify.Observer) { o.Concurrency = 1 })
		notify.On(b.Notifier, "paid", func(context.Context, notify.Event[paid]) error { return nil })
		b.run()
		for range 5 {
			_, err := notify.Emit(b.ctx, b.Notifier, paid{})
			require.NoError(b, err)
		}
		_, err := notify.Emit(b.ctx, b.Notifier, shipped{})
		require.NoError(b, err)
		for i := range 12 { // more types than are counted at once
			for _, data := range []any{
				notify.Opened{},
				notify.Clicked{},
				notify.Read{},
				notify.Archived{},
				notify.Replied{},
				notify.Complained{},
				notify.Sent{},
				notify.Delivered{},
				notify.Bounced{},
				notify.Sending{},
				notify.Retrying{},
				notify.Unknown{},
			}[:i+1] {
				_, err := notify.Emit(b.ctx, b.Notifier, data)
				require.NoError(b, err)
			}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, o := range b.Stats(b.ctx).Observers {
			counts := map[string]int64{}
			var n int64
			var total time.Duration
			for i, e := range o.Events {
				counts[e.Type] = e.Invocations
				n, total = n+e.Invocations, total+e.Total
				require.True(b, i == 0 || o.Events[i-1].Type < e.Type)
				if e.Type == "shop.paid.v1" && o.Name == "all" {
					require.Equal(b, 5*time.Second, e.Total)
				}
			}
			require.Equal(b, o.Invocations, n, o.Name)
			require.Equal(b, o.Total, total, o.Name)
			if o.Name == "paid" {
				require.Equal(b, map[string]int64{"shop.paid.v1": 5}, counts)
				continue
			}
			require.EqualValues(b, 5, counts["shop.paid.v1"])
			require.EqualValues(b, 2, counts["shop.shipped.v1"], "a retry is an invocation")
			require.EqualValues(b, 12, counts["notify.opened.v1"])
			require.EqualValues(b, 1, counts["notify.unknown.v1"])
		}
	})
}

// Events of another Notifier on the same backend count under their type, and
// what this one does not know under none.
func TestStatsOfForeignTypes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		var all []*notify.Notifier
		for range 2 {
			n, err := notify.New(notify.Config{Backend: shared, KeepBackend: true})
			require.NoError(t, err)
			all = append(all, n)
		}
		notify.RegisterEvent[paid](all[0], "shop.paid.v1")
		notify.On(all[1], "watcher", func(context.Context, notify.Event[any]) error { return nil })
		for _, n := range all {
			go func() { _ = n.Run(context.Background()) }()
			require.NoError(t, n.Ready(t.Context()))
		}
		for range 3 {
			_, err := notify.Emit(t.Context(), all[0], notify.Opened{})
			require.NoError(t, err)
			_, err = notify.Emit(t.Context(), all[0], paid{})
			require.NoError(t, err)
		}
		synctest.Wait()
		counts := map[string]int64{}
		for _, e := range all[1].Stats(t.Context()).Observers[0].Events {
			counts[e.Type] = e.Invocations
		}
		require.Equal(t, map[string]int64{"": 3, "notify.opened.v1": 3}, counts)
		for _, n := range all {
			require.NoError(t, n.Close(context.Background()))
		}
		require.NoError(t, shared.Close())
		synctest.Wait()
	})
}
