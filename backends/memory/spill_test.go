package memory_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

var errRefused = errors.New("refused")

// overflowed collects what goes to Overflow, and refuses the first of it.
type overflowed struct {
	refuse int
	calls  []time.Duration
	got    []int
}

func (o *overflowed) take(since time.Time) func(*message.Message) error {
	return func(m *message.Message) error {
		o.calls = append(o.calls, time.Since(since))
		if len(o.calls) <= o.refuse {
			return errRefused
		}
		o.got = append(o.got, eventOf(m).n)
		return nil
	}
}

func aFewPerKey(c *memory.Config) { c.MaxParkedPerKey, c.MaxParked = 3, 1000 }

// A key whose message fails has its queue and no more; the others go on.
func TestWhatOverflowsStopsNoOtherKey(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		var bad, good []int
		var broken atomic.Bool
		broken.Store(true)
		over := &overflowed{}
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Backoff: func(int, error) time.Duration { return time.Minute },
			Overflow: over.take(time.Now()),
			Handle: each(func(e *event, _ int) error {
				switch {
				case e.key == "good":
					good = append(good, e.n)
				case broken.Load():
					return errRefused
				default:
					bad = append(bad, e.n)
				}
				return nil
			}),
		})
		for n := range 10 {
			require.NoError(t, publishLocal(b, "t", local("bad", n), local("good", n)))
		}
		synctest.Wait()
		require.Len(t, good, 10)
		require.Equal(t, []int{3, 4, 5, 6, 7, 8, 9}, over.got)
		lag, err := b.Lag(t.Context(), "t", "g")
		require.NoError(t, err)
		require.EqualValues(t, 3, lag)

		broken.Store(false)
		time.Sleep(time.Minute)
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		require.NoError(t, publishLocal(b, "t", local("bad", 10)))
		synctest.Wait()
		require.Equal(t, []int{0, 1, 2, 10}, bad)
		leave()
	}, aFewPerKey)
}

// What Overflow refuses stays in the log, and is offered again after Backoff.
func TestWhatOverflowRefusesIsKept(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		var good []int
		over := &overflowed{refuse: 2}
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 4, Overflow: over.take(time.Now()),
			Backoff: func(n int, _ error) time.Duration { return time.Duration(n) * time.Second },
			Handle: each(func(e *event, _ int) error {
				if e.key == "bad" {
					return errRefused
				}
				good = append(good, e.n)
				return nil
			}),
		})
		for n := range 5 {
			require.NoError(t, publishLocal(b, "t", local("bad", n)))
		}
		require.NoError(t, publishLocal(b, "t", local("good", 0)))
		synctest.Wait()
		require.Empty(t, good)
		lag, err := b.Lag(t.Context(), "t", "g")
		require.NoError(t, err)
		require.EqualValues(t, 6, lag)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []time.Duration{0, time.Second, 3 * time.Second, 3 * time.Second}, over.calls)
		require.Equal(t, []int{3, 4}, over.got)
		require.Equal(t, []int{0}, good)
		leave()
		require.NoError(t, b.Forget(t.Context(), "t", "g"))
	}, aFewPerKey)
}

// A key that is only slow, and a group without Overflow, hold the reading back:
// nothing is given up.
func TestWhatDoesNotOverflowIsHeldBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slow, without bool
	}{"slow": {slow: true}, "without": {without: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *memory.Backend) {
				over := &overflowed{}
				release := make(chan struct{})
				var bad []int
				var failing atomic.Bool
				failing.Store(!c.slow)
				consumption := backend.Consumption{
					Topic: "t", Group: "g", Concurrency: 4, Overflow: over.take(time.Now()),
					Handle: each(func(e *event, _ int) error {
						if c.slow {
							<-release
						}
						if failing.Load() {
							return errRefused
						}
						bad = append(bad, e.n)
						return nil
					}),
				}
				if c.without {
					consumption.Overflow = nil
				}
				leave := consume(t, b, consumption)
				for n := range 20 {
					require.NoError(t, publishLocal(b, "t", local("bad", n)))
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				require.Empty(t, bad)
				failing.Store(false)
				close(release)
				require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
				require.Len(t, bad, 20)
				require.Empty(t, over.calls)
				leave()
			}, aFewPerKey)
		})
	}
}

// Even when all queues together are full, a full key's messages are got past.
func TestOverflowWhenAllQueuesAreFull(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		over := &overflowed{}
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Overflow: over.take(time.Now()),
			Backoff: func(int, error) time.Duration { return time.Hour },
			Handle:  each(func(*event, int) error { return errRefused }),
		})
		for n := range 10 {
			require.NoError(t, publishLocal(b, "t", local("a", n), local("b", n)))
		}
		synctest.Wait()
		require.Len(t, over.got, 14)
		leave()
	}, func(c *memory.Config) { c.MaxParkedPerKey, c.MaxParked = 3, 6 })
}

// Backoff counts the refusals of one message, not of all.
func TestRefusalsCountByMessage(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		over := &overflowed{refuse: 1 << 30}
		var attempts []int
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Overflow: over.take(time.Now()),
			Backoff: func(n int, err error) time.Duration {
				if errors.Is(err, errRefused) {
					attempts = append(attempts, n)
				}
				return time.Second
			},
			Handle: each(func(_ *event, attempt int) error {
				if attempt < 3 {
					return errFailed
				}
				return nil
			}),
		})
		publish(t, b, "t", "k", 0, 6)
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		require.GreaterOrEqual(t, len(attempts), 6)
		require.LessOrEqual(t, slices.Max(attempts), 3)
	}, aFewPerKey)
}
