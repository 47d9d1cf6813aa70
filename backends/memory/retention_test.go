package memory_test

import (
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestATopicWithoutGroupsKeepsTheLatest(t *testing.T) {
	t.Parallel()
	for _, retention := range []int{1, 10, 100, 1000, 5000} {
		t.Run(strconv.Itoa(retention), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *memory.Backend) {
				const published = 12345
				publish(t, b, "t", "k", 0, published)
				var got []int
				leave := consume(t, b, backend.Consumption{
					Topic: "t", Group: "late",
					Handle: each(func(e *event, _ int) error {
						got = append(got, e.n)
						return nil
					}),
				})
				require.NoError(t, b.CatchUp(t.Context(), "t", "late"))
				leave()
				require.GreaterOrEqual(t, len(got), retention)
				require.LessOrEqual(t, len(got), retention+256)
				for i, n := range got {
					require.Equal(t, published-len(got)+i, n)
				}
			}, func(c *memory.Config) { c.Retention = retention })
		})
	}
}

// A handler that hangs is the worst kind of dead group: it holds a message.
func TestADeadGroupIsSkippedForwardAndToldSo(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const retention, published = 1000, 20_000
		hang := make(chan struct{})
		var dead, alive []int
		var skipped [][2]int64
		leaveDead := consume(t, b, backend.Consumption{
			Topic: "t", Group: "dead",
			Handle: each(func(e *event, _ int) error {
				<-hang
				dead = append(dead, e.n)
				return nil
			}),
			Skipped: func(from, to int64) { skipped = append(skipped, [2]int64{from, to}) },
		})
		leaveAlive := consume(t, b, backend.Consumption{
			Topic: "t", Group: "alive",
			Handle: each(func(e *event, _ int) error {
				alive = append(alive, e.n)
				return nil
			}),
			Skipped: func(from, to int64) { t.Errorf("alive was moved from %d to %d", from, to) },
		})
		for n := 0; n < published; n += 500 {
			publish(t, b, "t", "k", n, n+500)
			require.NoError(t, b.CatchUp(t.Context(), "t", "alive"))
		}
		lag, err := b.Lag(t.Context(), "t", "dead")
		require.NoError(t, err)
		require.LessOrEqual(t, lag, int64(retention+3*256), "what is gone is no lag")
		require.GreaterOrEqual(t, lag, int64(retention))

		close(hang)
		require.NoError(t, b.CatchUp(t.Context(), "t", "dead"))
		leaveDead()
		leaveAlive()
		require.Len(t, alive, published)
		require.Len(t, skipped, 1)
		from, to := skipped[0][0], skipped[0][1]
		require.EqualValues(t, published, int64(len(dead))+to-from, "every message was handled or skipped")
		next := 0
		for _, n := range dead {
			if int64(next) == from {
				next = int(to)
			}
			require.Equal(t, next, n)
			next++
		}
		require.Equal(t, published, next)
	}, func(c *memory.Config) { c.Retention = 1000 })
}

// A group that nobody consumes for, or whose member hangs, must not hold the
// messages beyond the retention, through whatever chain of segments.
func TestMemoryStaysBoundedWithDeadGroups(t *testing.T) {
	t.Parallel()
	b := memory.New(func(c *memory.Config) { c.Retention = 1024 })
	hang := make(chan struct{})
	defer func() {
		close(hang)
		require.NoError(t, b.Close())
	}()
	require.NoError(t, b.Fix(t.Context(), "t", "absent", backend.FromNow()))
	holds := make(chan struct{}, 1)
	consume(t, b, backend.Consumption{Topic: "t", Group: "hangs", Handle: each(func(*event, int) error {
		select {
		case holds <- struct{}{}:
		default:
		}
		<-hang
		return nil
	})})
	publish(t, b, "t", "k", 0, 1)
	<-holds

	const published = 100_000
	var collected atomic.Int64
	for n := range published {
		m := local(strconv.Itoa(n), 0)
		runtime.AddCleanup(m, func(struct{}) { collected.Add(1) }, struct{}{})
		require.NoError(t, publishLocal(b, "t", m))
	}
	const kept = 1024 + 4*256 // what is retained, and a segment for each who stands in one
	require.Eventually(t, func() bool {
		runtime.GC()
		return collected.Load() >= published-kept
	}, time.Minute, time.Millisecond, "messages that nobody can get any more are garbage")
}

func TestWhatAllGroupsPassedIsGarbage(t *testing.T) {
	t.Parallel()
	b := memory.New()
	defer b.Close()
	for _, group := range []string{"one", "two"} {
		leave := consume(t, b, backend.Consumption{Topic: "t", Group: group, Handle: each(func(*event, int) error { return nil })})
		defer leave()
	}
	const published = 20_000
	var collected atomic.Int64
	for range published {
		m := new(message.Message)
		m.SetContext(&event{Context: t.Context(), key: "k"})
		runtime.AddCleanup(m, func(struct{}) { collected.Add(1) }, struct{}{})
		require.NoError(t, publishLocal(b, "t", m))
	}
	require.NoError(t, b.CatchUp(t.Context(), "t", "one"))
	require.NoError(t, b.CatchUp(t.Context(), "t", "two"))
	publish(t, b, "t", "k", 0, 257) // a segment is let go of when the next one begins
	require.NoError(t, b.CatchUp(t.Context(), "t", "one"))
	require.NoError(t, b.CatchUp(t.Context(), "t", "two"))
	require.Eventually(t, func() bool {
		runtime.GC()
		return collected.Load() >= published-512
	}, time.Minute, time.Millisecond)
}

// What a slow handler held when its group fell behind is not lost.
func TestWhatWasTakenBeforeTheSkipIsStillDelivered(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		hang := make(chan struct{})
		var got []int
		c := backend.Consumption{
			Topic: "t", Group: "g",
			Backoff: func(int, error) time.Duration { return time.Second },
			Handle: each(func(e *event, attempt int) error {
				if e.n == 3 && attempt == 1 {
					<-hang
					return errFailed
				}
				got = append(got, e.n)
				return nil
			}),
		}
		publish(t, b, "t", "k", 0, 10)
		leave := consume(t, b, c)
		synctest.Wait()
		publish(t, b, "t", "k", 10, 5000)
		close(hang)
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, got[:10])
		require.Equal(t, 4999, got[len(got)-1])
		require.Less(t, len(got), 1000)
	}, func(c *memory.Config) { c.Retention = 100 })
}
