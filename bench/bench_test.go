package bench_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/sides"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A measurement says nothing if events get lost on the way.
func TestEverySideHandlesEveryEvent(t *testing.T) {
	for _, side := range sides.All() {
		for _, outstanding := range []int{1, 2, 64} {
			t.Run(fmt.Sprintf("%s/%d", side.Name, outstanding), func(t *testing.T) {
				cost, err := bench.FanOut(side, 3, outstanding, bench.For(5*time.Millisecond))
				require.NoError(t, err)
				require.Positive(t, cost.Events)
				require.Positive(t, cost.Wall)
			})
		}
	}
}
