package notify_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// Quantiles are at most an eighth off, whatever the durations.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(r *rand.Rand) time.Duration{
		"nothing":      func(*rand.Rand) time.Duration { return 0 },
		"nanoseconds":  func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(20)) },
		"microseconds": func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(1e6)) },
		"wide":         func(r *rand.Rand) time.Duration { return time.Duration(1) << r.IntN(50) },
		"days":         func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(1000)) * time.Hour },
		"the longest":  func(*rand.Rand) time.Duration { return 1<<63 - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			all := make([]time.Duration, 1000)
			for i := range all {
				all[i] = draw(r)
			}
			got := notify.StatsOf(all)
			slices.Sort(all)
			require.InDelta(t, all[500], got.Median, float64(all[500])/8+1)
			require.InDelta(t, all[990], got.P99, float64(all[990])/8+1)
			require.EqualValues(t, 1000, got.Invocations)
		})
	}
}

func TestStatsOfNothing(t *testing.T) {
	t.Parallel()
	require.Zero(t, notify.StatsOf(nil))
}

// Every duration is counted, within an eighth of itself.
func TestWithin(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	all := make([]time.Duration, 1000)
	for i := range all {
		all[i] = time.Duration(r.Int64N(int64(time.Second) >> r.IntN(29)))
	}
	got := notify.StatsOf(all)
	require.EqualValues(t, 1000, got.Within(1<<63-1))
	for d := time.Nanosecond; d < time.Second; d += d/3 + 1 {
		least, most := int64(0), int64(0)
		for _, took := range all {
			if took+took/8+1 <= d {
				least++
			}
			if took-took/8-1 <= d {
				most++
			}
		}
		require.GreaterOrEqual(t, got.Within(d), least, d)
		require.LessOrEqual(t, got.Within(d), most, d)
	}
	require.Zero(t, notify.CallStats{}.Within(time.Hour))
}
