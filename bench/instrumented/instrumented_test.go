package instrumented_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/instrumented"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEveryKindHandlesEveryEvent(t *testing.T) {
	for _, kind := range instrumented.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			cost, err := instrumented.Emit(kind, 3, bench.For(5*time.Millisecond))
			require.NoError(t, err)
			require.Positive(t, cost.Events)
			cost, err = instrumented.Send(kind, bench.For(5*time.Millisecond))
			require.NoError(t, err)
			require.Positive(t, cost.Events)
		})
	}
}

// BenchmarkEmit and BenchmarkSend are for profiles.
func BenchmarkEmit(b *testing.B) {
	for _, kind := range instrumented.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			cost, err := instrumented.Emit(kind, 1, bench.Times(b.N))
			report(b, cost, err)
		})
	}
}

func BenchmarkSend(b *testing.B) {
	for _, kind := range instrumented.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			cost, err := instrumented.Send(kind, bench.Times(b.N))
			report(b, cost, err)
		})
	}
}

func report(b *testing.B, cost bench.Cost, err error) {
	b.Helper()
	require.NoError(b, err)
	b.ReportMetric(cost.Each().CPU*1000, "cpu-ns/op")
	b.ReportMetric(cost.Each().Allocs, "allocs/op")
}
