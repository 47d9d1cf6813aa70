package bench_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/sides"
)

// BenchmarkFanOut is the job: ns/op is the time on the clock that an event
// takes, cpu-ns/op that on processors.
func BenchmarkFanOut(b *testing.B) { fanOut(b, bench.Outstanding, 1, 10, 100) }

// BenchmarkRoundTrip is the job with one event outstanding: ns/op is the time
// from publishing it until all observers have handled it.
func BenchmarkRoundTrip(b *testing.B) { fanOut(b, 1, 1, 10) }

func fanOut(b *testing.B, outstanding int, observers ...int) {
	for _, side := range sides.All() {
		for _, n := range observers {
			b.Run(fmt.Sprintf("side=%s/n=%d", side.Name, n), func(b *testing.B) {
				cost, err := bench.FanOut(side, n, outstanding, bench.Times(b.N))
				require.NoError(b, err)
				report(b, cost)
			})
		}
	}
}

// BenchmarkSendToSettled counts notifications.
func BenchmarkSendToSettled(b *testing.B) {
	for _, outstanding := range []int{1, bench.Outstanding} {
		b.Run(fmt.Sprintf("outstanding=%d", outstanding), func(b *testing.B) {
			run, err := bench.SendToSettled(outstanding, bench.Times(b.N))
			require.NoError(b, err)
			report(b, run)
		})
	}
}

// report replaces what b measured, which has b.N events, and starting and
// stopping in it.
func report(b *testing.B, cost bench.Cost) {
	b.Helper()
	b.ReportAllocs()
	each := cost.Each()
	b.ReportMetric(each.CPU*1000, "cpu-ns/op")
	b.ReportMetric(each.Wall*1000, "ns/op")
	b.ReportMetric(each.Allocs, "allocs/op")
	b.ReportMetric(each.Bytes, "B/op")
}

// BenchmarkBareEvents counts the events of one notification as one.
func BenchmarkBareEvents(b *testing.B) {
	cost, err := bench.BareEvents(bench.Outstanding, bench.Times(b.N))
	require.NoError(b, err)
	report(b, cost)
}
