package notify_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestObserversByType(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var one seen[paid]
		var all, both seen[string]
		notify.On(b.Notifier, "one", one.handle)
		notify.On(b.Notifier, "all", func(_ context.Context, e notify.Event[any]) error {
			all.add(fmt.Sprintf("%T", e.Data))
			return nil
		})
		b.Observe(notify.Observer{Name: "both", Handlers: []notify.Handler{
			notify.Handle(func(_ context.Context, e notify.Event[paid]) error { both.add("paid " + e.Data.Order); return nil }),
			notify.Handle(func(_ context.Context, e notify.Event[shipped]) error {
				both.add("shipped " + e.Data.Order)
				return nil
			}),
			notify.Handle(func(_ context.Context, e notify.Event[any]) error { both.add("any " + e.Type); return nil }),
		}})
		b.run()
		b.pay("1", "n1")
		_, err := notify.Emit(b.ctx, b.Notifier, shipped{Order: "1"}, func(e *notify.Envelope) { e.NotificationID = "n1" })
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, []paid{{Order: "1"}}, one.list())
		require.Equal(t, []string{"notify_test.paid", "notify_test.shipped"}, all.list())
		require.Equal(t, []string{"paid 1", "any shop.paid.v1", "shipped 1", "any shop.shipped.v1"}, both.list())
		require.EqualValues(t, 2, b.stats("both").Invocations)
		require.EqualValues(t, 1, b.stats("one").Invocations, "what it is not for is no invocation")
	})
}

// One notification's events come in their order, many notifications' at once.
func TestOrderAndConcurrency(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var running, most atomic.Int64
		var mu sync.Mutex
		order := map[string][]string{}
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
			now := running.Add(1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			order[e.NotificationID] = append(order[e.NotificationID], e.Data.Order)
			mu.Unlock()
			running.Add(-1)
			return nil
		}, func(o *notify.Observer) { o.Concurrency = 5 })
		b.run()
		for i := range 200 {
			b.pay(strconv.Itoa(i), strconv.Itoa(i%20))
		}
		time.Sleep(time.Minute)
		require.EqualValues(t, 5, most.Load())
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, order, 20)
		for key, got := range order {
			var want []string
			for i := range 200 {
				if strconv.Itoa(i%20) == key {
					want = append(want, strconv.Itoa(i))
				}
			}
			require.Equal(t, want, got)
		}
		s := b.stats("o")
		require.InDelta(t, 20*time.Second, s.Total, float64(time.Second))
		require.InDelta(t, 100*time.Millisecond, s.Median, float64(25*time.Millisecond))
		require.InDelta(t, 100*time.Millisecond, s.P99, float64(25*time.Millisecond))
	})
}

func TestObserversComeAndGoWhileEventsFlow(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var always, first, second seen[paid]
		notify.On(b.Notifier, "always", always.handle)
		b.run()
		b.pay("0", "")
		notify.On(b.Notifier, "o", first.handle)
		b.pay("1", "") // raised after On has returned
		synctest.Wait()
		require.Equal(t, []paid{{Order: "1"}}, first.list())
		require.NoError(t, b.Detach(b.ctx, "o"))
		require.ErrorIs(t, b.Detach(b.ctx, "o"), notify.ErrNotFound)
		b.pay("2", "")
		notify.On(b.Notifier, "o", second.handle)
		b.pay("3", "")
		synctest.Wait()
		require.Equal(t, []paid{{Order: "1"}}, first.list())
		require.Equal(t, []paid{{Order: "3"}}, second.list(), "the position was forgotten")
		require.Len(t, always.list(), 4)
		require.NoError(t, b.Ready(b.ctx))
		require.Len(t, b.Stats(b.ctx).Observers, 2)
	})
}

func TestFrom(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var now, oldest, since seen[paid]
		b.run()
		b.pay("1", "")
		time.Sleep(time.Hour)
		from := time.Now()
		b.pay("2", "")
		notify.On(b.Notifier, "now", now.handle)
		notify.On(b.Notifier, "oldest", oldest.handle, func(o *notify.Observer) { o.From = backend.FromOldest() })
		notify.On(b.Notifier, "since", since.handle, func(o *notify.Observer) { o.From = backend.FromTime(from) })
		b.pay("3", "")
		synctest.Wait()
		require.Equal(t, []paid{{Order: "3"}}, now.list())
		require.Equal(t, []paid{{Order: "2"}, {Order: "3"}}, since.list())
		require.Equal(t, []paid{{Order: "1"}, {Order: "2"}, {Order: "3"}}, oldest.list())
	})
}

// A new name goes on where the old one was, also while that one runs.
func TestRenamingAnObserver(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		release := make(chan struct{})
		var old, renamed seen[string]
		notify.On(b.Notifier, "old", func(_ context.Context, e notify.Event[paid]) error {
			if e.Data.Order == "bad" {
				return notify.Permanent(errHandler)
			}
			<-release
			old.add(e.Data.Order)
			return nil
		})
		b.run()
		b.pay("bad", "n0")
		b.pay("1", "n1")
		b.pay("2", "n1")
		synctest.Wait()
		notify.On(b.Notifier, "new", func(_ context.Context, e notify.Event[paid]) error {
			renamed.add(e.Data.Order)
			return nil
		}, func(o *notify.Observer) { o.FormerName = "old" })
		b.pay("3", "n1")
		synctest.Wait()
		require.Empty(t, renamed.list(), "it waits for the old one's handlers")
		close(release)
		synctest.Wait()
		require.Equal(t, []string{"1"}, old.list())
		require.Equal(t, []string{"2", "3"}, renamed.list())
		require.ErrorIs(t, b.Detach(b.ctx, "old"), notify.ErrNotFound)

		handled, err := b.Redrive(b.ctx, "new")
		require.NoError(t, err)
		require.Equal(t, 1, handled)
		require.Equal(t, []string{"2", "3", "bad"}, renamed.list())
		require.NoError(t, b.Ready(b.ctx))
	})
}

// Over two lives of a program, on a backend that outlives the first.
func TestRenamingAnObserverWhileItIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := memory.New()
		defer func() { require.NoError(t, shared.Close()) }()
		config := notify.Config{Backend: shared, KeepBackend: true}
		var first, second seen[paid]
		runBus(t, config, func(b *busTest) {
			notify.On(b.Notifier, "old", first.handle)
			b.run()
			b.pay("1", "")
		})
		runBus(t, config, func(b *busTest) {
			b.run()
			b.pay("2", "") // nobody looks
		})
		runBus(t, config, func(b *busTest) {
			notify.On(b.Notifier, "new", second.handle, func(o *notify.Observer) { o.FormerName = "old" })
			b.run()
			b.pay("3", "")
		})
		require.Equal(t, []paid{{Order: "1"}}, first.list())
		require.Equal(t, []paid{{Order: "2"}, {Order: "3"}}, second.list())
	})
}

func TestDetachWaitsForHandlers(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		release := make(chan struct{})
		var canceled atomic.Bool
		notify.On(b.Notifier, "o", func(ctx context.Context, _ notify.Event[paid]) error {
			<-ctx.Done()
			canceled.Store(true)
			<-release
			return nil
		}, func(o *notify.Observer) { o.Timeout = -1 })
		b.run()
		b.pay("1", "n1")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		defer cancel()
		require.False(t, canceled.Load())
		require.ErrorIs(t, b.Detach(ctx, "o"), context.DeadlineExceeded)
		synctest.Wait()
		require.True(t, canceled.Load(), "the handler's context ends with Detach's")
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error { return nil })
		require.Error(t, b.Ready(b.ctx), "it is still there")
		close(release)
		require.NoError(t, b.Detach(b.ctx, "o"))
		require.ErrorIs(t, b.Detach(b.ctx, "o"), notify.ErrNotFound)
	})
}

func TestAnObserverMayDetachItselfAndAddOthers(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var once, next seen[paid]
		notify.On(b.Notifier, "once", func(ctx context.Context, e notify.Event[paid]) error {
			once.add(e.Data)
			notify.On(b.Notifier, "next", next.handle)
			return b.Detach(ctx, "once")
		}, func(o *notify.Observer) { o.Concurrency = 1 })
		b.run()
		b.pay("1", "")
		synctest.Wait()
		b.pay("2", "")
		synctest.Wait()
		require.Equal(t, []paid{{Order: "1"}}, once.list())
		require.Equal(t, []paid{{Order: "2"}}, next.list())
		require.ErrorIs(t, b.Detach(b.ctx, "once"), notify.ErrNotFound)
		require.Len(t, b.Stats(b.ctx).Observers, 1)
	})
}

func TestDetachBeforeRun(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var got seen[paid]
		notify.On(b.Notifier, "o", got.handle)
		require.EqualValues(t, -1, b.stats("o").Lag)
		require.NoError(t, b.Detach(b.ctx, "o"))
		b.run()
		b.pay("1", "")
		synctest.Wait()
		require.Empty(t, got.list())
	})
}

// Everything at once, for the race detector.
func TestObserversComeAndGoAtOnce(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var always atomic.Int64
		notify.On(b.Notifier, "always", func(context.Context, notify.Event[paid]) error { always.Add(1); return nil })
		b.run()
		const workers, rounds = 8, 20
		var wg sync.WaitGroup
		for w := range workers {
			name := "o" + strconv.Itoa(w)
			wg.Go(func() {
				for i := range rounds {
					notify.On(b.Notifier, name, func(context.Context, notify.Event[paid]) error { return nil })
					b.pay(strconv.Itoa(i), name)
					b.Stats(b.ctx)
					if i%2 == 0 {
						notify.On(b.Notifier, name+"'", func(context.Context, notify.Event[paid]) error { return nil },
							func(o *notify.Observer) { o.FormerName = name })
						if err := b.Detach(b.ctx, name+"'"); err != nil {
							t.Error(err)
						}
						continue
					}
					if err := b.Detach(b.ctx, name); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		require.NoError(t, b.Ready(b.ctx))
		require.EqualValues(t, workers*rounds, always.Load())
		require.Len(t, b.Stats(b.ctx).Observers, 1)
	})
}

func TestWhatIsWrongWithAnObserver(t *testing.T) {
	t.Parallel()
	handler := notify.Handle(func(context.Context, notify.Event[paid]) error { return nil })
	for field, o := range map[string]notify.Observer{
		`Observer("").Name`:           {Handlers: []notify.Handler{handler}},
		`Observer("o").Handlers`:      {Name: "o"},
		`Observer("o").Handlers[0]`:   {Name: "o", Handlers: []notify.Handler{{}}},
		`Observer("o").Handlers[1]`:   {Name: "o", Handlers: []notify.Handler{handler, notify.Handle(func(context.Context, notify.Event[struct{ A int }]) error { return nil })}},
		`Observer("o").Concurrency`:   {Name: "o", Handlers: []notify.Handler{handler}, Concurrency: -1},
		`Observer("o").Emits[0]`:      {Name: "o", Handlers: []notify.Handler{handler}, Emits: []any{1}},
		`Observer("o").FormerName`:    {Name: "o", Handlers: []notify.Handler{handler}, FormerName: "o"},
		`Observer("o").Middleware[0]`: {Name: "o", Handlers: []notify.Handler{handler}, Middleware: make([]middleware, 1)},
		`Observer("taken").Name`:      {Name: "taken", Handlers: []notify.Handler{handler}},
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			n, err := notify.New(notify.Config{})
			require.NoError(t, err)
			notify.RegisterEvent[paid](n, "shop.paid.v1")
			n.Observe(notify.Observer{Name: "taken", Handlers: []notify.Handler{handler}})
			n.Observe(o)
			err = n.Run(context.Background())
			fields := notify.FieldErrors(err)
			require.Len(t, fields, 1)
			require.Equal(t, field, fields[0].Field)
			require.NoError(t, n.Close(context.Background()))
		})
	}
}

func TestAnObserverAfterClose(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		b.run()
		require.NoError(t, b.Close(b.ctx))
		notify.On(b.Notifier, "o", func(context.Context, notify.Event[paid]) error { return nil })
		require.Empty(t, b.Stats(b.ctx).Observers)
		require.Contains(t, b.log.String(), "is registered after Close")
	})
}

// What an observer has not seen for too long is skipped, and told.
func TestAnObserverThatFallsBehindSkips(t *testing.T) {
	t.Parallel()
	for name, wrap := range backends() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := memory.New(func(c *memory.Config) { c.Retention = 100; c.MaxParkedPerKey = 1 })
				runBus(t, notify.Config{Backend: wrap(mem)}, func(b *busTest) {
					release := make(chan struct{})
					var slow, quick atomic.Int64
					notify.On(b.Notifier, "slow", func(context.Context, notify.Event[paid]) error { <-release; slow.Add(1); return nil },
						func(o *notify.Observer) { o.Concurrency = 1 })
					notify.On(b.Notifier, "quick", func(context.Context, notify.Event[paid]) error { quick.Add(1); return nil })
					var skips seen[notify.ObserverSkipped]
					notify.On(b.Notifier, "skips", skips.handle)
					b.run()
					const all = 2000
					for range all {
						b.pay("1", "n1")
						synctest.Wait()
					}
					require.EqualValues(t, all, quick.Load())
					close(release)
					synctest.Wait()
					require.NotEmpty(t, skips.list())
					var skipped int64
					for _, s := range skips.list() {
						require.Equal(t, "slow", s.Observer)
						require.Less(t, s.From, s.To)
						skipped += s.To - s.From
					}
					require.EqualValues(t, all, slow.Load()+skipped)
					require.LessOrEqual(t, slow.Load(), int64(200))
				})
			})
		})
	}
}

func TestQuantilesOfManyObservers(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		notify.On(b.Notifier, "o", func(_ context.Context, e notify.Event[paid]) error {
			pause, err := time.ParseDuration(e.Data.Order)
			time.Sleep(pause)
			return err
		}, func(o *notify.Observer) { o.Concurrency = 1 })
		b.run()
		b.pay("10ms", "n1") // the observer turns out to be slow, and is timed one by one
		time.Sleep(time.Second)
		pauses := append(slices.Repeat([]string{"10ms"}, 97), "1s", "1s")
		for _, pause := range pauses {
			b.pay(pause, "n1")
		}
		time.Sleep(time.Minute)
		s := b.stats("o")
		require.EqualValues(t, 100, s.Successes)
		require.InDelta(t, 10*time.Millisecond, s.Median, float64(2*time.Millisecond))
		require.InDelta(t, time.Second, s.P99, float64(250*time.Millisecond))
		require.InDelta(t, 2980*time.Millisecond, s.Total, float64(time.Millisecond))
	})
}

// Statistics and outputs are those since the process began, also of an observer
// that was gone meanwhile; those of many that are gone are forgotten.
func TestStatisticsGoOnWithTheName(t *testing.T) {
	t.Parallel()
	onBus(t, func(b *busTest) {
		var got seen[paid]
		b.run()
		for range 3 {
			notify.On(b.Notifier, "o", got.handle)
			b.pay("1", "")
			synctest.Wait()
			require.NoError(t, b.Detach(b.ctx, "o"))
		}
		notify.On(b.Notifier, "o", got.handle)
		o := b.Stats(b.ctx).Observers[0]
		require.Equal(t, "o", o.Name)
		require.EqualValues(t, 3, o.Invocations)
		require.EqualValues(t, 3, o.Within(time.Hour))
		require.EqualValues(t, 3, o.Events[0].Invocations)
		require.NoError(t, b.Detach(b.ctx, "o"))
		for i := range 100 {
			other := fmt.Sprint("other-", i)
			notify.On(b.Notifier, other, got.handle)
			require.NoError(t, b.Detach(b.ctx, other))
		}
		notify.On(b.Notifier, "o", got.handle)
		require.Zero(t, b.Stats(b.ctx).Observers[0].Invocations)
	})
}
