package memory_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

var errFailed = errors.New("failed")

func TestReclaimLetsOtherKeysPassASlowHandler(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const keys = 600
		seen := newOrder()
		begun := time.Now()
		var others atomic.Int64
		publish(t, b, "t", "slow", 0, 1)
		for i := range keys {
			publish(t, b, "t", strconv.Itoa(i), 0, 1)
		}
		publish(t, b, "t", "slow", 1, 2)
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 2,
			Handle: each(func(e *event, _ int) error {
				defer seen.enter(e)(true)
				if e.key == "slow" {
					time.Sleep(time.Hour)
				} else {
					others.Add(1)
				}
				return nil
			}),
		})
		time.Sleep(10 * time.Millisecond)
		require.EqualValues(t, keys, others.Load(), "all other keys pass within milliseconds")
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		require.Equal(t, 2*time.Hour, time.Since(begun))
		require.Empty(t, seen.wrong)
		leave()
	})
}

func TestSlowHandlersRunSideBySideUpToConcurrency(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const messages, concurrency = 6400, 64
		var now, most atomic.Int64
		for i := range messages {
			publish(t, b, "t", strconv.Itoa(i), 0, 1)
		}
		begun := time.Now()
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: concurrency,
			Handle: each(func(*event, int) error {
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Millisecond)
				now.Add(-1)
				return nil
			}),
		})
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		require.EqualValues(t, concurrency, most.Load())
		require.Less(t, time.Since(begun), 115*time.Millisecond, "100 ms, and some to notice")
		leave()
	})
}

func TestAFailedMessageComesAgainAloneAndItsKeyWaits(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		type delivery struct {
			key        string
			n, attempt int
			alone      bool
			at         time.Duration
		}
		var (
			mu   sync.Mutex
			seen []delivery
		)
		begun := time.Now()
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Backoff: func(attempt int, err error) time.Duration {
				require.ErrorIs(t, err, errFailed)
				return time.Duration(attempt) * 10 * time.Minute
			},
			Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
				for batch.Next() {
					e := eventOf(batch.Message())
					mu.Lock()
					seen = append(seen, delivery{e.key, e.n, batch.Attempt, batch.Len() == 1, time.Since(begun)})
					mu.Unlock()
					if e.key == "bad" && e.n == 0 && batch.Attempt < 3 {
						return done, errFailed
					}
					done++
				}
				return done, nil
			},
		})
		synctest.Wait()
		publish(t, b, "t", "bad", 0, 3)
		publish(t, b, "t", "good", 0, 2)
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		publish(t, b, "t", "bad", 3, 4)
		synctest.Wait()

		require.Equal(t, 30*time.Minute, time.Since(begun), "virtual: a pause takes no time")
		var bad, good []delivery
		for _, d := range seen {
			if d.key == "bad" {
				bad = append(bad, d)
			} else {
				good = append(good, d)
			}
		}
		require.Len(t, good, 2)
		require.Zero(t, good[1].at, "another key does not wait")
		require.Len(t, bad, 6)
		require.Equal(t, []delivery{
			{"bad", 0, 2, true, 10 * time.Minute},
			{"bad", 0, 3, true, 30 * time.Minute},
			{"bad", 1, 1, false, 30 * time.Minute},
			{"bad", 2, 1, false, 30 * time.Minute},
			{"bad", 3, 1, true, 30 * time.Minute},
		}, bad[1:])
		leave()
	})
}

func TestDefaultBackoffDoublesToAMinute(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		var pauses []time.Duration
		last := time.Now()
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: each(func(_ *event, attempt int) error {
				pauses = append(pauses, time.Since(last))
				last = time.Now()
				if attempt <= 14 {
					return errFailed
				}
				return nil
			}),
		})
		publish(t, b, "t", "k", 0, 1)
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		for i, pause := range pauses[1:] {
			require.Equal(t, min(100*time.Millisecond<<i, time.Minute), pause)
		}
		require.Len(t, pauses, 15)
	})
}

// A full queue stops the group; nothing is lost, and it goes on by itself.
func TestFullQueuesHoldTheLogAndLoseNothing(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]func(*memory.Config){
		"per key":  func(c *memory.Config) { c.MaxParkedPerKey = 5 },
		"all keys": func(c *memory.Config) { c.MaxParked = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *memory.Backend) {
				seen := newOrder()
				leave := consume(t, b, backend.Consumption{
					Topic: "t", Group: "g",
					Backoff: func(int, error) time.Duration { return time.Second },
					Handle: each(func(e *event, attempt int) error {
						fails := e.key == "bad" && attempt == 1 && e.n%100 == 0
						seen.enter(e)(!fails)
						if fails {
							return errFailed
						}
						return nil
					}),
				})
				publish(t, b, "t", "bad", 0, 500)
				publish(t, b, "t", "good", 0, 10)
				synctest.Wait()
				seen.mu.Lock()
				require.Zero(t, seen.next["good"], "the group does not read that far")
				seen.mu.Unlock()
				require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
				require.Equal(t, map[string]int{"bad": 500, "good": 10}, seen.next)
				require.Empty(t, seen.wrong)
				leave()
			}, config)
		})
	}
}

// A key that fails at once for ever must not keep others from their turn.
func TestFailingWithoutPauseLeavesTurnsToOthers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const n = 5000
		good := make(chan struct{}, n)
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", MaxBatch: 10,
			Backoff: func(int, error) time.Duration { return 0 },
			Handle: each(func(e *event, _ int) error {
				if e.key == "bad" {
					return errFailed
				}
				good <- struct{}{}
				return nil
			}),
		})
		publish(t, b, "t", "bad", 0, 1)
		publish(t, b, "t", "good", 0, n)
		for range n {
			<-good
		}
		leave()
	})
}

// A log that never runs dry must not keep a message from its next attempt.
func TestABusyLogLeavesTurnsToWhatFailed(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const enough = 10_000
		good, again := 0, false
		publish(t, b, "t", "bad", 0, 1)
		publish(t, b, "t", "good", 0, 2)
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", MaxBatch: 1,
			Backoff: func(int, error) time.Duration { return 0 },
			Handle: each(func(e *event, attempt int) error {
				switch {
				case e.key == "bad" && attempt == 1:
					return errFailed
				case e.key == "bad":
					again = true
				case !again && good < enough:
					good++
					return publishLocal(b, "t", local("good", good+1))
				}
				return nil
			}),
		})
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		synctest.Wait()
		leave()
		require.True(t, again)
		require.Less(t, good, 10)
	})
}

// Each pause ends at its own time, in whatever order they began.
func TestPausesEndAtTheirTimes(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		begun := time.Now()
		again := map[string]time.Duration{}
		pauses := map[string]time.Duration{"a": time.Hour, "b": time.Minute, "c": 24 * time.Hour, "d": time.Second}
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Backoff: func(_ int, err error) time.Duration { return pauses[err.Error()] },
			Handle: each(func(e *event, attempt int) error {
				if attempt == 1 {
					return errors.New(e.key)
				}
				again[e.key] = time.Since(begun)
				return nil
			}),
		})
		for _, key := range []string{"a", "b", "c", "d"} {
			publish(t, b, "t", key, 0, 1)
		}
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		require.Equal(t, pauses, again)
	})
}

// After a slow handler batches become large again, so that the next thousands
// of messages cost no more than before.
func TestBatchesGrowAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		var batches []int
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
				batches = append(batches, batch.Len())
				for batch.Next() {
					if eventOf(batch.Message()).key == "slow" {
						time.Sleep(time.Second)
					}
					done++
				}
				return done, nil
			},
		})
		publish(t, b, "t", "slow", 0, 1)
		publish(t, b, "t", "k", 0, 3000)
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		require.Contains(t, batches, 1, "small when a handler is slow")
		require.Contains(t, batches, 256, "and large when they are quick")
		require.Less(t, len(batches), 50)
	})
}

func TestFurtherWorkersStartInAllMembers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		var byMember [2]atomic.Int64
		hang := make(chan struct{})
		for i := range byMember {
			consume(t, b, backend.Consumption{
				Topic: "t", Group: "g", Concurrency: 8,
				Handle: each(func(*event, int) error {
					byMember[i].Add(1)
					<-hang
					return nil
				}),
			})
		}
		for i := range 8 {
			publish(t, b, "t", strconv.Itoa(i), 0, 1)
		}
		time.Sleep(time.Second)
		require.EqualValues(t, 8, byMember[0].Load()+byMember[1].Load())
		require.InDelta(t, 4, byMember[0].Load(), 1)
		close(hang)
	})
}

func TestGroupsGetEverythingAndMembersShare(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const messages = 300
		var mu sync.Mutex
		byGroup := map[string]map[string]int{"one": {}, "two": {}}
		byMember := map[int]int{}
		var leave []func()
		for group := range maps.Keys(byGroup) {
			for member := range 3 {
				leave = append(leave, consume(t, b, backend.Consumption{
					Topic: "t", Group: group,
					Handle: each(func(e *event, _ int) error {
						mu.Lock()
						byGroup[group][e.key]++
						byMember[member]++
						mu.Unlock()
						time.Sleep(10 * time.Millisecond)
						return nil
					}),
				}))
			}
		}
		for i := range messages {
			publish(t, b, "t", strconv.Itoa(i), 0, 1)
		}
		for group, seen := range byGroup {
			require.NoError(t, b.CatchUp(t.Context(), "t", group))
			mu.Lock()
			require.Len(t, seen, messages)
			for _, times := range seen {
				require.Equal(t, 1, times)
			}
			mu.Unlock()
		}
		for member := range 3 {
			require.Greater(t, byMember[member], messages/10, "a slow member does not keep all for itself")
		}
		for _, l := range leave {
			l()
		}
	})
}

func TestWhoLeavesFinishesItsMessageAndLeavesTheRestInOrder(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 0, 50)
		begun := make(chan struct{})
		finish := make(chan struct{})
		var first, second []int
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(ctx context.Context, batch *backend.Batch) (done int, err error) {
				for batch.Next() {
					if done == 0 {
						close(begun)
						<-finish
					}
					require.NoError(t, ctx.Err(), "what is under way may finish")
					first = append(first, eventOf(batch.Message()).n)
					done++
				}
				return done, nil
			},
		})
		<-begun
		left := make(chan struct{})
		go func() { leave(); close(left) }()
		synctest.Wait()
		select {
		case <-left:
			t.Fatal("Consume did not wait for its handler")
		default:
		}
		stay := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: each(func(e *event, _ int) error {
				second = append(second, e.n)
				return nil
			}),
		})
		synctest.Wait()
		require.Empty(t, second, "the key is in flight still")
		close(finish)
		<-left
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		stay()
		require.Equal(t, []int{0}, first)
		require.Len(t, second, 49)
		require.True(t, slices.IsSorted(second))
	})
}

func TestWhoLeavesHandsTheRestOverAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		finish := make(chan struct{})
		begun := time.Now()
		leave := consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(*event, int) error {
			<-finish
			return nil
		})})
		synctest.Wait()
		var others atomic.Int64
		stay := consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(*event, int) error {
			others.Add(1)
			return nil
		})})
		synctest.Wait()
		var ms []*message.Message
		for i := range 100 {
			ms = append(ms, local(strconv.Itoa(i), 0))
		}
		require.NoError(t, publishLocal(b, "t", ms...))
		synctest.Wait()
		require.Zero(t, others.Load(), "one worker takes them all")
		left := make(chan struct{})
		go func() { leave(); close(left) }()
		synctest.Wait()
		require.EqualValues(t, 99, others.Load())
		require.Zero(t, time.Since(begun))
		close(finish)
		<-left
		stay()
	})
}

func TestGivingTheRestBackRedeliversItAsIfNew(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 0, 100)
		var seen []int
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
				require.Equal(t, 1, batch.Attempt)
				for done < 7 && batch.Next() {
					seen = append(seen, eventOf(batch.Message()).n)
					done++
				}
				return done, nil
			},
		})
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		require.Len(t, seen, 100)
		require.True(t, slices.IsSorted(seen))
	})
}

func TestConsumeWithAnEndedContextDeliversNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 0, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, b.Consume(ctx, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: each(func(*event, int) error { t.Error("delivered"); return nil }),
		}))
	})
}

func TestConsumeKeepsTheValuesOfItsContext(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		publish(t, b, "t", "k", 0, 1)
		require.NoError(t, b.Consume(ctx, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(ctx context.Context, batch *backend.Batch) (int, error) {
				batch.Next()
				cancel()
				require.Equal(t, "value", ctx.Value(key{}))
				require.NoError(t, ctx.Err())
				return 1, nil
			},
		}))
	})
}
