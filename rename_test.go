package notify_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// An observer is renamed twice while a handler under its first name is at
// work: the last one goes on where the first was.
func TestRenamingAnObserverThatWaitsForItsFormerSelf(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		release := make(chan struct{})
		var first, second, third seen[string]
		into := func(s *seen[string], wait <-chan struct{}) func(context.Context, notify.Event[paid]) error {
			return func(_ context.Context, e notify.Event[paid]) error {
				if wait != nil {
					<-wait
				}
				s.add(e.Data.Order)
				return nil
			}
		}
		notify.On(b.Notifier, "first", into(&first, release))
		b.run()
		for _, order := range []string{"1", "2", "3"} {
			b.pay(order, "n1")
		}
		synctest.Wait()
		notify.On(b.Notifier, "second", into(&second, nil), formerly("first"))
		notify.On(b.Notifier, "third", into(&third, nil), formerly("second"))
		synctest.Wait()
		close(release)
		synctest.Wait()
		require.Equal(t, []string{"1"}, first.list())
		require.Empty(t, second.list())
		require.Equal(t, []string{"2", "3"}, third.list())
		require.Zero(t, b.stats("third").Lag)
	})
}

// One that is detached while it waits leaves no position behind, neither under
// its name nor under its former one.
func TestDetachingAnObserverThatWaitsForItsFormerSelf(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		release := make(chan struct{})
		notify.On(b.Notifier, "old", func(context.Context, notify.Event[paid]) error { <-release; return nil })
		b.run()
		b.pay("1", "n1")
		b.pay("2", "n1")
		synctest.Wait()
		notify.On(b.Notifier, "new", func(context.Context, notify.Event[paid]) error { return nil }, formerly("old"))
		detached := make(chan error, 1)
		go func() { detached <- b.Detach(b.ctx, "new") }()
		synctest.Wait()
		close(release)
		require.NoError(t, <-detached)
		for _, name := range []string{"old", "new"} {
			var got seen[paid]
			notify.On(b.Notifier, name, got.handle)
			synctest.Wait()
			require.Empty(t, got.list(), "it begins with what is raised from now on")
		}
	})
}

// What fails under the one name is tried again under the other, when it would
// have been.
func TestRenamingAnObserverThatRetries(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		retry := func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: 3, Backoff: every(time.Minute)} }
		var tries atomic.Int64
		failing := func(context.Context, notify.Event[paid]) error { tries.Add(1); return errHandler }
		notify.On(b.Notifier, "old", failing, retry)
		b.run()
		began := time.Now()
		b.pay("1", "n1")
		b.pay("2", "n1")
		time.Sleep(time.Second)
		var got seen[string]
		notify.On(b.Notifier, "new", func(_ context.Context, e notify.Event[paid]) error {
			got.add(e.Data.Order + time.Since(began).String())
			return nil
		}, retry, formerly("old"))
		time.Sleep(10 * time.Second)
		require.Empty(t, got.list())
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, tries.Load())
		require.Equal(t, []string{"11m0s", "21m0s"}, got.list())
	})
}

// In memory, Close waits for what a renamed observer has to catch up with, also
// while that waits for its former self.
func TestClosingWhileAnObserverIsRenamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runBus(t, notify.Config{}, func(b *busTest) {
			notify.On(b.Notifier, "old", func(context.Context, notify.Event[paid]) error { time.Sleep(time.Second); return nil })
			b.run()
			for range 5 {
				b.pay("1", "n1")
			}
			synctest.Wait()
			var got seen[paid]
			notify.On(b.Notifier, "new", got.handle, formerly("old"))
			require.NoError(t, b.Close(b.ctx))
			require.Len(t, got.list(), 4)
		}, func(c *notify.Config) { c.DrainTimeout = time.Minute })
	})
}
