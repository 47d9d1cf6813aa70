package notify_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

func TestAFailedEventComesAgainAfterItsBackoff(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var at seen[time.Duration]
		began := time.Now()
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
			at.add(time.Since(began))
			if len(at.list()) < 4 {
				return errBroken
			}
			return nil
		}, func(o *notify.Observer) {
			o.Retry.Backoff = func(n int) time.Duration { return time.Duration(n) * time.Second }
		})
		var failures seen[notify.ObserverFailed]
		notify.On(b.Notifier, "failures", func(_ context.Context, e notify.Event[notify.ObserverFailed]) error {
			failures.add(e.Data)
			return nil
		})
		b.run()
		id := b.pay("1", "n1")
		time.Sleep(time.Minute)
		require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 6 * time.Second}, at.list())
		s := b.stats("o")
		require.EqualValues(t, 3, s.Failures)
		require.EqualValues(t, 3, s.Retries)
		require.EqualValues(t, 1, s.Successes)
		require.EqualValues(t, 4, s.Invocations)
		require.Zero(t, s.DeadLetters)
		require.Zero(t, s.InFlight)
		require.Zero(t, s.Lag)
		require.Equal(t, []notify.ObserverFailed{{
			Observer: "o", EventID: id, EventType: "shop.paid.v1", Class: notify.ObserverReturnedError,
		}}, failures.list(), "told once")
	})
}

func TestTheDefaultBackoffDoublesWithJitter(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var at seen[time.Time]
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
			at.add(time.Now())
			return errBroken
		})
		b.run()
		b.pay("1", "n1")
		time.Sleep(time.Hour)
		tries := at.list()
		require.Len(t, tries, 10, "the default number of attempts")
		for i := 1; i < len(tries); i++ {
			most := min(200*time.Millisecond<<(i-1), time.Minute)
			pause := tries[i].Sub(tries[i-1])
			require.LessOrEqual(t, pause, most)
			require.GreaterOrEqual(t, pause, most/2)
		}
		require.Len(t, b.letters("o"), 1)
	})
}

func TestWhatBecomesOfAFailure(t *testing.T) {
	t.Parallel()
	const secret = "address@example.com"
	for name, c := range map[string]struct {
		handle   func(ctx context.Context) error
		class    notify.ObserverError
		attempts int
	}{
		"an error":                 {func(context.Context) error { return errBroken }, notify.ObserverReturnedError, 3},
		"a permanent one":          {func(context.Context) error { return notify.Permanent(errBroken) }, notify.ObserverPermanent, 1},
		"a panic":                  {func(context.Context) error { panic(secret) }, notify.ObserverPanicked, 3},
		"a panic with an error":    {func(context.Context) error { panic(errors.New(secret)) }, notify.ObserverPanicked, 3},
		"a panic with nil":         {func(context.Context) error { panic(nil) }, notify.ObserverPanicked, 3},
		"the goroutine's end":      {func(context.Context) error { runtime.Goexit(); return nil }, notify.ObserverPanicked, 3},
		"an error that panics":     {func(context.Context) error { return (*nilError)(nil) }, notify.ObserverReturnedError, 3},
		"a panic while it is told": {func(context.Context) error { return &asPanics{} }, notify.ObserverReturnedError, 3},
		"a timeout":                {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, notify.ObserverTimedOut, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBus(t, func(b *busTest) {
				var good seen[paid]
				notify.On(b.Notifier, "o", func(ctx context.Context, e notify.Event[paid]) error {
					if e.Data.Order == "bad" {
						return c.handle(ctx)
					}
					return good.handle(ctx, e)
				}, func(o *notify.Observer) {
					o.Timeout = time.Second
					o.Retry = notify.Retry{Attempts: 3, Backoff: every(time.Second)}
				})
				var told seen[notify.DeadLettered]
				notify.On(b.Notifier, "told", told.handle)
				b.run()
				id := b.pay("bad", "n1")
				b.pay("good", "n2")
				b.pay("after", "n1")
				time.Sleep(time.Minute)

				letters := b.letters("o")
				require.Len(t, letters, 1)
				require.Equal(t, c.class, letters[0].Class)
				require.Equal(t, c.attempts, letters[0].Attempts)
				require.Equal(t, "o", letters[0].Observer)
				require.Equal(t, id, letters[0].Event.ID)
				require.Equal(t, paid{Order: "bad"}, letters[0].Event.Data)
				require.NotContains(t, letters[0].Error, secret)
				require.NotContains(t, b.log.String(), secret)
				require.Equal(t, []paid{{Order: "good"}, {Order: "after"}}, good.list(), "its key waits, no other does")
				require.Equal(t, []notify.DeadLettered{{
					Observer: "o", EventID: id, EventType: "shop.paid.v1", Class: c.class, Attempts: c.attempts, LetterID: letters[0].ID,
				}}, told.list())
				s := b.stats("o")
				require.EqualValues(t, c.attempts, s.Failures)
				require.EqualValues(t, 2, s.Successes)
				require.EqualValues(t, 1, s.DeadLetters)
				require.EqualValues(t, c.attempts-1, s.Retries)
				require.Zero(t, s.InFlight)
				require.Zero(t, s.Lag)
			})
		})
	}
}

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type asPanics struct{}

func (e *asPanics) Error() string { panic("no text") }
func (e *asPanics) As(any) bool   { panic("no type") }

func TestABackoffThatPanics(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var tries atomic.Int64
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
			if tries.Add(1) == 1 {
				return errBroken
			}
			return nil
		}, func(o *notify.Observer) { o.Retry.Backoff = func(int) time.Duration { panic("no pause") } })
		b.run()
		b.pay("1", "n1")
		time.Sleep(time.Hour)
		require.EqualValues(t, 2, tries.Load())
	})
}

// After a dead letter, one attempt per event of that key until one succeeds.
func TestTheKeyOfADeadLetterGetsOneAttempt(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var tried seen[string]
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
			tried.add(e.Data.Order)
			if e.Data.Order == "good" {
				return nil
			}
			return errBroken
		}, func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: 2, Backoff: every(time.Second)} })
		b.run()
		for _, order := range []string{"a", "b", "good", "c"} {
			b.pay(order, "n1")
		}
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a", "a", "b", "good", "c", "c"}, tried.list())
		require.Len(t, b.letters("o"), 3)

		// Events of no notification share no key.
		for range 2 {
			b.pay("d", "")
			time.Sleep(time.Minute)
		}
		require.Equal(t, []string{"d", "d", "d", "d"}, tried.list()[6:])
	})
}

// An observer that fails on everything pauses, with lag.
func TestAnObserverThatFailsOnEverythingIsPaused(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var broken atomic.Bool
		var tries atomic.Int64
		broken.Store(true)
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error {
			tries.Add(1)
			if broken.Load() {
				return notify.Permanent(errBroken)
			}
			return nil
		})
		var others atomic.Int64
		notify.On(b.Notifier, "other", func(context.Context, notify.Event[paid]) error { others.Add(1); return nil })
		b.run()
		const all = 500
		for range all {
			b.pay("1", "")
		}
		time.Sleep(time.Second)
		require.True(t, b.stats("o").Paused)
		// Workers may have been at an event each when the last letter came.
		require.InDelta(t, 20, len(b.letters("o")), 8)
		buried := len(b.letters("o"))
		require.GreaterOrEqual(t, b.stats("o").Lag, int64(all-buried)) // and what tells of the letters
		require.EqualValues(t, all, others.Load())

		before := tries.Load()
		time.Sleep(10 * time.Minute)
		require.InDelta(t, 20, tries.Load()-before, 2, "one every 30 s")
		require.Len(t, b.letters("o"), buried, "what fails meanwhile is kept for later")

		broken.Store(false)
		time.Sleep(time.Minute)
		require.False(t, b.stats("o").Paused)
		require.Zero(t, b.stats("o").Lag)
		require.Zero(t, b.stats("o").InFlight)
		require.EqualValues(t, all-buried, b.stats("o").Successes)
	})
}

// Control: one that succeeds now and then is not.
func TestAnObserverThatFailsOftenIsNotPaused(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
			if e.Data.Order == "good" {
				return nil
			}
			return notify.Permanent(errBroken)
		}, func(o *notify.Observer) { o.Concurrency = 1 })
		b.run()
		for i := range 200 {
			b.pay(map[bool]string{true: "good", false: "bad"}[i%19 == 0], "")
		}
		time.Sleep(time.Second)
		require.False(t, b.stats("o").Paused)
		require.Zero(t, b.stats("o").Lag)
	})
}

// A paused observer neither keeps Close from ending nor Detach.
func TestAPausedObserverCanBeStopped(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		for _, name := range []string{"a", "b"} {
			notify.On(b.Notifier, name, func(context.Context, notify.Event[paid]) error { return notify.Permanent(errBroken) })
		}
		b.run()
		for range 100 {
			b.pay("1", "")
		}
		time.Sleep(time.Second)
		require.True(t, b.stats("a").Paused)
		began := time.Now()
		require.NoError(t, b.Detach(b.ctx, "a"))
		require.NoError(t, b.Close(b.ctx))
		require.Zero(t, time.Since(began))
	}, func(c *notify.Config) { c.DrainTimeout = time.Hour })
}

// What fails on events about observers breeds no more of them.
func TestFailuresBreedNoFailures(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var all seen[string]
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[any]) error {
			all.add(e.Type)
			return errBroken
		}, func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: 2, Backoff: every(time.Second)} })
		b.run()
		b.pay("1", "n1")
		time.Sleep(time.Hour)
		require.Equal(t, map[string]int{
			"shop.paid.v1": 2, "notify.observer_failed.v1": 2, "notify.dead_lettered.v1": 2,
		}, counts(all.list()))
		require.Len(t, b.letters("o"), 3)
	})
}

func counts(all []string) map[string]int {
	found := map[string]int{}
	for _, one := range all {
		found[one]++
	}
	return found
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var broken atomic.Bool
		broken.Store(true)
		var other, good seen[paid]
		notify.On(b.Notifier, "o", func(ctx context.Context, e notify.Event[paid]) error {
			if broken.Load() {
				return notify.Permanent(errBroken)
			}
			return good.handle(ctx, e)
		})
		notify.On(b.Notifier, "other", other.handle)
		b.run()
		for _, order := range []string{"1", "2", "3"} {
			b.pay(order, order)
		}
		time.Sleep(time.Second)
		letters := b.letters("o")
		require.Len(t, letters, 3)
		require.Len(t, b.letters(""), 3)
		require.Empty(t, b.letters("other"))

		handled, err := b.Redrive(b.ctx, "o")
		require.ErrorIs(t, err, errBroken)
		require.Zero(t, handled)
		require.Len(t, b.letters("o"), 3, "a letter stays until it is handled")

		broken.Store(false)
		handled, err = b.Redrive(b.ctx, "o", letters[1].ID)
		require.NoError(t, err)
		require.Equal(t, 1, handled)
		require.Equal(t, []paid{{Order: "2"}}, good.list())
		_, err = b.Redrive(b.ctx, "o", letters[1].ID)
		require.ErrorIs(t, err, notify.ErrNotFound)
		_, err = b.Redrive(b.ctx, "nobody")
		require.ErrorIs(t, err, notify.ErrNotFound)

		handled, err = b.Redrive(b.ctx, "o")
		require.NoError(t, err)
		require.Equal(t, 2, handled)
		require.Empty(t, b.letters("o"))
		require.Len(t, other.list(), 3, "the others see nothing again")
		require.EqualValues(t, 3, b.stats("o").Successes)
		require.Zero(t, b.stats("o").InFlight)
	})
}

func TestRedriveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		notify.On(b.Notifier, "o", func(ctx context.Context, _ notify.Event[paid]) error {
			<-ctx.Done()
			return notify.Permanent(context.Cause(ctx))
		}, func(o *notify.Observer) { o.Timeout = time.Minute })
		b.run()
		b.pay("1", "n1")
		time.Sleep(2 * time.Minute)
		require.Equal(t, context.DeadlineExceeded.Error(), b.letters("o")[0].Error)
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		_, err := b.Redrive(ctx, "o")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		_, err = b.Redrive(ctx, "o")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, b.letters("o"), 1)
	})
}

// A dead observer costs the others nothing.
func TestADeadObserverHoldsUpNobody(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		release := make(chan struct{})
		notify.On(b.Notifier, "dead", func(context.Context, notify.Event[paid]) error { <-release; return nil })
		var others atomic.Int64
		for _, name := range []string{"a", "b", "c"} {
			notify.On(b.Notifier, name, func(context.Context, notify.Event[paid]) error { others.Add(1); return nil })
		}
		b.run()
		const all = 2000
		for range all {
			b.pay("1", "n1")
		}
		synctest.Wait()
		require.EqualValues(t, 3*all, others.Load())
		require.EqualValues(t, all, b.stats("dead").Lag)
		require.EqualValues(t, 1, b.stats("dead").InFlight)
		close(release)
	})
}

// On a backend that Watermill's Router consumes, a handler that ends its
// goroutine does not end the Router's.
func TestAHandlerThatEndsItsGoroutineOnTheRouter(t *testing.T) {
	t.Parallel()
	onGoChannel(t, func(n *notify.Notifier) {
		notify.RegisterEvent[paid](n, "shop.paid.v1")
		notify.On(n, "o", func(_ context.Context, e notify.Event[paid]) error {
			if e.Data.Order == "bad" {
				runtime.Goexit()
			}
			return nil
		}, func(o *notify.Observer) { o.Retry = notify.Retry{Attempts: 3, Backoff: every(time.Second)} })
	}, func(t *testing.T, n *notify.Notifier) {
		for _, order := range []string{"bad", "good"} {
			_, err := notify.Emit(t.Context(), n, paid{Order: order})
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		stats := n.Stats(t.Context()).Observers[0]
		require.EqualValues(t, 3, stats.Failures)
		require.EqualValues(t, 1, stats.Successes)
		letters, err := n.DeadLetters(t.Context(), "o", "", 0)
		require.NoError(t, err)
		require.Len(t, letters, 1)
		require.Equal(t, notify.ObserverPanicked, letters[0].Class)
	})
}
