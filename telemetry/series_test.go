package telemetry

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever currencies providers name, the series of a metric stay bounded.
func TestSeriesOfCostsAreBounded(t *testing.T) {
	t.Parallel()
	s := series[costKey]{beyond: costKey.beyond, set: costKey.set}
	for i := range 10_000 {
		code := fmt.Sprintf("%c%c%c", 'A'+i/676%26, 'A'+i/26%26, 'A'+i%26)
		s.add(costKey{provider: fmt.Sprint("p", i%7), currency: currency(code)}, 1)
	}
	require.Len(t, s.all, maxSeries+1)
	var n int64
	for _, c := range s.all {
		n += c.n.Load()
	}
	require.EqualValues(t, 10_000, n)
}
