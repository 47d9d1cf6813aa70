package bench_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
)

func TestCountedEvents(t *testing.T) {
	run, err := bench.CountedEvents(16, bench.For(20*time.Millisecond))
	require.NoError(t, err)
	require.Positive(t, run.Events)
}
