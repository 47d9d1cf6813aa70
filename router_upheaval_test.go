package notify_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// witness is an observer, under whatever names, that fails as told. It checks
// that no two events of a notification are handled at a time, and that they
// come in order unless they are redriven.
type witness struct {
	fails  func(order int) error
	broken atomic.Bool // it fails on everything
	well   atomic.Bool // it fails on nothing

	mu       sync.Mutex
	handled  map[int]bool
	last     map[string]int
	inFlight map[string]bool
	redrives bool // order says nothing any more
	wrong    []string
}

func newWitness(fails func(order int) error) *witness {
	return &witness{fails: fails, handled: map[int]bool{}, last: map[string]int{}, inFlight: map[string]bool{}}
}

func (w *witness) handle(_ context.Context, e notify.Event[paid]) error {
	order, _ := strconv.Atoi(e.Data.Order)
	key := e.NotificationID
	w.mu.Lock()
	if !w.redrives && (w.inFlight[key] || order < w.last[key]) {
		w.wrong = append(w.wrong, fmt.Sprintf("%d of %s, at %d, in flight: %t", order, key, w.last[key], w.inFlight[key]))
	}
	w.inFlight[key] = true
	w.mu.Unlock()
	err := w.fails(order)
	if w.broken.Load() {
		err = errHandler
	}
	if w.well.Load() {
		err = nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.inFlight[key] = false
	if err == nil {
		w.handled[order], w.last[key] = true, order
	}
	return err
}

// Observers are renamed, detached, redriven, fail on everything and recover,
// in any order: the one that stays sees every event or has it among its dead
// letters, and nothing goes on after Close.
func TestWhateverHappensToObservers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{
			"pay", "pay", "pay", "burst", "rename", "rename twice", "redrive", "other", "break", "heal", "sleep", "long sleep",
		}), 10, 50).Draw(rt, "steps")
		failures := rapid.SampledFrom([]int{2, 5, 30}).Draw(rt, "one in so many fails")
		lasting := rapid.SampledFrom([]int{3, 10, 1000}).Draw(rt, "one in so many always fails")
		concurrency := rapid.IntRange(1, 4).Draw(rt, "concurrency")
		keys := rapid.IntRange(1, 30).Draw(rt, "keys")
		perKey := rapid.SampledFrom([]int{2, 1000}).Draw(rt, "queue per key")
		wire := rapid.Bool().Draw(rt, "wire")
		closeAtOnce := rapid.Bool().Draw(rt, "close at once")

		synctest.Test(t, func(t *testing.T) {
			mem := memory.New(func(c *memory.Config) { c.MaxParkedPerKey = perKey })
			config := notify.Config{Backend: mem}
			if wire {
				config.Backend = notifytest.WireOnly(mem)
			}
			var running atomic.Int64
			var ended atomic.Bool
			tries := map[int]int{}
			var triesMu sync.Mutex
			w := newWitness(func(order int) error {
				running.Add(1)
				defer running.Add(-1)
				if ended.Load() {
					t.Error("it goes on after Close")
				}
				if order%7 == 3 {
					time.Sleep(time.Duration(order%50) * time.Millisecond)
				}
				triesMu.Lock()
				tries[order]++
				n := tries[order]
				triesMu.Unlock()
				switch {
				case order%lasting == lasting-1:
					return errHandler
				case order%failures == 0 && n <= 2:
					return errHandler
				}
				return nil
			})
			runBus(t, config, func(b *busTest) {
				options := func(former string) func(*notify.Observer) {
					return func(o *notify.Observer) {
						o.FormerName, o.Concurrency = former, concurrency
						o.Retry = notify.Retry{Attempts: 4, Backoff: func(n int) time.Duration { return time.Duration(n) * 100 * time.Millisecond }}
					}
				}
				name, names := "o0", 1
				rename := func() {
					former := name
					name = "o" + strconv.Itoa(names)
					names++
					notify.On(b.Notifier, name, w.handle, options(former))
				}
				notify.On(b.Notifier, name, w.handle, options(""))
				b.run()
				paidSoFar := 0
				pay := func(n int) {
					for range n {
						b.pay(strconv.Itoa(paidSoFar), "n"+strconv.Itoa(paidSoFar%keys))
						paidSoFar++
					}
				}
				var redriving sync.WaitGroup
				for i, step := range steps {
					switch step {
					case "pay":
						pay(i%5 + 1)
					case "burst":
						pay(200)
					case "rename":
						rename()
					case "rename twice":
						rename()
						rename()
					case "redrive":
						w.mu.Lock()
						w.redrives = true
						w.mu.Unlock()
						of := name
						redriving.Go(func() { _, _ = b.Redrive(b.ctx, of) })
					case "other":
						other := "other" + strconv.Itoa(i)
						notify.On(b.Notifier, other, func(context.Context, notify.Event[paid]) error { return errHandler }, options(""))
						pay(3)
						time.Sleep(time.Millisecond)
						require.NoError(b, b.Detach(b.ctx, other))
					case "break":
						w.broken.Store(true)
					case "heal":
						w.broken.Store(false)
					case "sleep":
						time.Sleep(time.Duration(i) * 10 * time.Millisecond)
					case "long sleep":
						time.Sleep(time.Minute)
					}
				}
				w.broken.Store(false)
				if !closeAtOnce {
					time.Sleep(time.Hour)
					w.well.Store(true) // only a success ends a pause
					time.Sleep(time.Hour)
				}
				redriving.Wait()
				if !closeAtOnce {
					w.mu.Lock()
					buried := map[int]bool{}
					for after := ""; ; {
						letters, err := b.DeadLetters(b.ctx, "", after, 100)
						require.NoError(b, err)
						if len(letters) == 0 {
							break
						}
						for _, l := range letters {
							after = l.ID
							if event, ok := l.Event.Data.(paid); ok && l.Observer[:2] != "ot" {
								order, _ := strconv.Atoi(event.Order)
								buried[order] = true
							}
						}
					}
					for order := range paidSoFar {
						require.True(b, w.handled[order] || buried[order], "event %d is lost", order)
					}
					w.mu.Unlock()
					require.Zero(b, b.stats(name).Lag)
				}
				require.NoError(b, b.Ready(b.ctx))
				require.NoError(b, b.Close(b.ctx))
				ended.Store(true)
				require.Zero(b, running.Load())
				time.Sleep(time.Hour)
				w.mu.Lock()
				defer w.mu.Unlock()
				require.Empty(b, w.wrong)
			}, func(c *notify.Config) { c.DrainTimeout = time.Second })
		})
	})
}
