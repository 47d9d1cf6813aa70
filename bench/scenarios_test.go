package bench_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
)

func TestSendToSettled(t *testing.T) {
	run, err := bench.SendToSettled(16, bench.For(20*time.Millisecond))
	require.NoError(t, err)
	require.Positive(t, run.Events)
}

func TestBareEvents(t *testing.T) {
	run, err := bench.BareEvents(16, bench.For(20*time.Millisecond))
	require.NoError(t, err)
	require.Positive(t, run.Events)
}

func TestDeadObserver(t *testing.T) {
	for _, dead := range []bool{false, true} {
		run, err := bench.DeadObserver(dead, 20_000)
		require.NoError(t, err)
		require.GreaterOrEqual(t, run.Events, 20_000)
		require.Positive(t, run.Late)
	}
}

func TestHoldInFlight(t *testing.T) {
	held, err := bench.HoldInFlight(1024)
	require.NoError(t, err)
	require.Positive(t, held.InFlight)
	require.Positive(t, held.Settled)
}

func TestCycle(t *testing.T) {
	left, err := bench.Cycle(20)
	require.NoError(t, err)
	require.Zero(t, left.Goroutines)
	require.LessOrEqual(t, left.Descriptors, 0)
}
