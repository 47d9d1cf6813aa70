package kafka_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/kafka"
)

// Whatever stands beside an offset is either none of ours, or says what can be.
func FuzzNote(f *testing.F) {
	for _, text := range []string{"", "notify1 ", "notify1 BQAAAgA=", "notify1 CgABgICAgICAgAE=", "notify1 AA=="} {
		f.Add(int64(7), text)
	}
	f.Fuzz(func(t *testing.T, low int64, text string) {
		if low < 0 || low > 1<<60 {
			return
		}
		next, waiting, ok := kafka.ReadNote(low, text)
		if !ok {
			return
		}
		require.NotEmpty(t, waiting)
		last := low
		for _, at := range waiting {
			require.GreaterOrEqual(t, at, last)
			require.Less(t, at, next)
			last = at
		}
	})
}
