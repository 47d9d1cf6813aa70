package notify_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// One notification whose events an observer cannot handle stops no other's.
func TestAPoisonedKeyStopsNoOther(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var broken atomic.Bool
		broken.Store(true)
		var good atomic.Int64
		var bad seen[string]
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
			switch {
			case e.NotificationID != "bad":
				good.Add(1)
			case broken.Load():
				return errHandler
			default:
				bad.add(e.Data.Order)
			}
			return nil
		}, func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: -1, Backoff: every(time.Minute)} })
		var told seen[notify.DeadLettered]
		notify.On(b.Notifier, "told", told.handle)
		b.run()
		const room, more = 1000, 50
		for n := range room + more {
			b.pay(strconv.Itoa(n), "bad")
			b.pay(strconv.Itoa(n), "good")
		}
		synctest.Wait()
		require.EqualValues(t, room+more, good.Load())
		letters, err := b.DeadLetters(b.ctx, "o", "", 2*more)
		require.NoError(t, err)
		require.Len(t, letters, more)
		for i, letter := range letters {
			require.Equal(t, notify.ObserverOverflow, letter.Class)
			require.Zero(t, letter.Attempts)
			require.Equal(t, paid{Order: strconv.Itoa(room + i)}, letter.Event.Data)
		}
		require.Len(t, told.list(), more)
		require.Equal(t, notify.ObserverOverflow, told.list()[0].Class)
		require.EqualValues(t, more, b.stats("o").DeadLetters)
		require.False(t, b.stats("o").Paused)

		broken.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, bad.list(), room, "what queued is kept, in its order")
		require.True(t, inOrder(bad.list()))
		n, err := b.Redrive(b.ctx, "o")
		require.NoError(t, err)
		require.Equal(t, more, n)
		require.True(t, inOrder(bad.list()))
	})
}

// Nor does it if it has all the dead letters there are; nor do two, by turns.
func TestPoisonedKeysDoNotPauseTheObserver(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var good seen[string]
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
			if strings.HasPrefix(e.NotificationID, "bad") {
				return errHandler
			}
			good.add(e.Data.Order)
			return nil
		}, func(o *notify.Observer) { o.Retry.Attempts, o.Concurrency = 1, 1 })
		b.run()
		const all = 1500
		for n := range all {
			b.pay(strconv.Itoa(n), "bad "+strconv.Itoa(n%2))
		}
		b.pay("1", "good")
		time.Sleep(time.Hour)
		require.Equal(t, []string{"1"}, good.list())
		require.EqualValues(t, all, b.stats("o").DeadLetters)
		require.False(t, b.stats("o").Paused)
	})
}

func inOrder(numbers []string) bool {
	for i, n := range numbers {
		if n != strconv.Itoa(i) {
			return false
		}
	}
	return true
}

// An observer that fails on everything gives up little: it pauses, and what
// it has not got is its lag, whether few keys have much or many keys little.
func TestAnObserverThatFailsOnEverythingPausesWithLag(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]int{"few keys": 25, "many keys": 15_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBus(t, func(b *busTest) {
				var broken atomic.Bool
				broken.Store(true)
				notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
					if broken.Load() {
						return errHandler
					}
					return nil
				}, func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: 2, Backoff: every(time.Second)} })
				b.run()
				const all = 30_000
				for n := range all {
					b.pay("1", "n"+strconv.Itoa(n%keys))
				}
				time.Sleep(time.Hour)
				require.True(t, b.stats("o").Paused)
				buried := b.stats("o").DeadLetters
				require.Less(t, buried, int64(300))
				require.GreaterOrEqual(t, b.stats("o").Lag, all-buried)

				broken.Store(false)
				time.Sleep(time.Hour)
				require.Zero(t, b.stats("o").Lag)
				require.Equal(t, buried, b.stats("o").DeadLetters, "nothing is given up in the pause")
				require.EqualValues(t, all-buried, b.stats("o").Successes)
			})
		})
	}
}

// When a pause ends, what was put back in it comes again within half a minute:
// until then a full queue says nothing about its key.
func TestNothingOverflowsJustAfterAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := memory.New(func(c *memory.Config) { c.MaxParkedPerKey = 2 })
		runBus(t, notify.Config{Backend: mem}, func(b *busTest) {
			var broken atomic.Bool
			broken.Store(true)
			notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
				if broken.Load() {
					return errHandler
				}
				return nil
			}, func(o *notify.Observer) {
				o.Retry = notify.Retry{Attempts: 2, Backoff: every(time.Second)}
			})
			b.run()
			for n := range 30 {
				b.pay("1", "early"+strconv.Itoa(n))
			}
			time.Sleep(10 * time.Second)
			require.True(t, b.stats("o").Paused)
			buried := b.stats("o").DeadLetters
			for n := range 60 {
				b.pay("1", "n"+strconv.Itoa(n%6))
			}
			time.Sleep(10*time.Minute + 17*time.Second)
			require.Equal(t, buried, b.stats("o").DeadLetters)
			broken.Store(false)
			time.Sleep(time.Hour)
			require.Zero(t, b.stats("o").Lag)
			require.Equal(t, buried, b.stats("o").DeadLetters)
		})
	})
}
