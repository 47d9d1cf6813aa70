package memory_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// read returns the numbers that the group gets until it has caught up.
func read(t *testing.T, b *memory.Backend, topic, group string) (got []int) {
	t.Helper()
	leave := consume(t, b, backend.Consumption{Topic: topic, Group: group, Handle: each(func(e *event, _ int) error {
		got = append(got, e.n)
		return nil
	})})
	require.NoError(t, b.CatchUp(t.Context(), topic, group))
	leave()
	return got
}

func TestFix(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		var times []time.Time
		for n := range 1000 {
			times = append(times, time.Now())
			publish(t, b, "t", "k", n, n+1)
			time.Sleep(time.Second)
		}
		require.NoError(t, b.Fix(ctx, "t", "now", backend.FromNow()))
		publish(t, b, "t", "k", 1000, 1001)
		for group, c := range map[string]struct {
			start backend.Start
			first int
		}{
			"oldest":              {backend.FromOldest(), 0},
			"now":                 {backend.FromOldest(), 1000}, // fixed before: the first holds
			"later than all":      {backend.FromTime(time.Now().Add(time.Second)), 1001},
			"before all":          {backend.FromTime(times[0].Add(-time.Hour)), 0},
			"at the time":         {backend.FromTime(times[300]), 300},
			"just after":          {backend.FromTime(times[300].Add(1)), 301},
			"a segment's last":    {backend.FromTime(times[255]), 255},
			"a segment's first":   {backend.FromTime(times[256]), 256},
			"wall clock, no mono": {backend.FromTime(times[700].Round(0)), 700},
		} {
			require.NoError(t, b.Fix(ctx, "t", group, c.start))
			got := read(t, b, "t", group)
			require.Len(t, got, 1001-c.first, group)
			if len(got) > 0 {
				require.Equal(t, c.first, got[0], group)
			}
		}
	})
}

func TestPositionsOutliveMembers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 0, 3)
		require.Equal(t, []int{0, 1, 2}, read(t, b, "t", "g"))
		publish(t, b, "t", "k", 3, 5)
		require.Equal(t, []int{3, 4}, read(t, b, "t", "g"))
	})
}

func TestRename(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		publish(t, b, "t", "k", 0, 3)
		read(t, b, "t", "old")
		publish(t, b, "t", "k", 3, 5)
		require.NoError(t, b.Rename(ctx, "t", "old", "new"))
		require.Equal(t, []int{3, 4}, read(t, b, "t", "new"))

		require.NoError(t, b.Rename(ctx, "t", "none", "new"), "nothing to rename")
		require.NoError(t, b.Fix(ctx, "t", "old", backend.FromOldest()))
		require.NoError(t, b.Rename(ctx, "t", "old", "new"), "new keeps its own")
		require.Empty(t, read(t, b, "t", "new"))
		require.Len(t, read(t, b, "t", "old"), 5)
		require.Error(t, b.Rename(ctx, "t", "old", ""))
	})
}

func TestForget(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		require.NoError(t, b.Forget(ctx, "t", "none"))
		var got atomic.Int64
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Backoff: func(int, error) time.Duration { return time.Second },
			Handle: each(func(e *event, _ int) error {
				got.Add(1)
				return errFailed
			}),
		})
		publish(t, b, "t", "k", 0, 1)
		synctest.Wait()
		caughtUp := make(chan error, 1)
		go func() { caughtUp <- b.CatchUp(ctx, "t", "g") }()
		synctest.Wait()
		require.NoError(t, b.Forget(ctx, "t", "g"))
		require.ErrorIs(t, <-caughtUp, backend.ErrNotFound)
		_, err := b.Lag(ctx, "t", "g")
		require.ErrorIs(t, err, backend.ErrNotFound)
		publish(t, b, "t", "k", 1, 2)
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, got.Load(), "its member gets nothing more")
		leave()
	})
}

func TestLagCountsWhatIsNotFinished(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		lag := func() int64 {
			n, err := b.Lag(ctx, "t", "g")
			require.NoError(t, err)
			return n
		}
		_, err := b.Lag(ctx, "t", "g")
		require.ErrorIs(t, err, backend.ErrNotFound)
		require.NoError(t, b.Fix(ctx, "t", "g", backend.FromNow()))
		require.Zero(t, lag())
		publish(t, b, "t", "parked", 0, 4)
		publish(t, b, "t", "good", 0, 700)
		require.EqualValues(t, 704, lag())
		fail := atomic.Bool{}
		fail.Store(true)
		leave := consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(e *event, _ int) error {
			if e.key == "parked" && fail.Load() {
				return errFailed
			}
			return nil
		})})
		synctest.Wait()
		require.EqualValues(t, 4, lag(), "one failed, three behind it")
		fail.Store(false)
		time.Sleep(time.Hour)
		require.Zero(t, lag())
		leave()
	})
}

func TestCatchUpWaitsForWhatWasThereOnly(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		require.ErrorIs(t, b.CatchUp(ctx, "t", "g"), backend.ErrNotFound)
		require.NoError(t, b.Fix(ctx, "t", "g", backend.FromNow()))
		require.NoError(t, b.CatchUp(ctx, "t", "g"), "nothing is there")

		publish(t, b, "t", "k", 0, 1)
		short, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		require.ErrorIs(t, b.CatchUp(short, "t", "g"), context.DeadlineExceeded, "nobody consumes")

		var finished atomic.Int64
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 1000,
			Backoff: func(int, error) time.Duration { return time.Hour },
			Handle: each(func(e *event, attempt int) error {
				switch {
				case e.key == "fails" && e.n == 0 && attempt == 1:
					return errFailed
				case e.key == "late":
					time.Sleep(24 * time.Hour)
				}
				finished.Add(1)
				return nil
			}),
		})
		publish(t, b, "t", "fails", 0, 3)
		begun := time.Now()
		caughtUp := make(chan error, 1)
		go func() { caughtUp <- b.CatchUp(ctx, "t", "g") }()
		synctest.Wait()
		publish(t, b, "t", "quick", 0, 3)
		publish(t, b, "t", "late", 0, 5)
		require.NoError(t, <-caughtUp)
		require.Equal(t, time.Hour, time.Since(begun).Truncate(time.Minute), "it waits for the failed one, not for the late")
		require.EqualValues(t, 4+3, finished.Load())
		leave()
	})
}
