package kafka_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/kafka"
)

// The jobs of go run ./bench/compare -kafka, for profiles and benchstat.
func BenchmarkJobs(b *testing.B) {
	cluster, err := kafka.Start()
	require.NoError(b, err)
	defer cluster.Close()
	jobs := map[string]func(side kafka.Side, n int) (bench.Cost, error){
		"batches": func(side kafka.Side, n int) (bench.Cost, error) { return cluster.Publish(side, 1, 100, bench.Times(n)) },
		"singles": func(side kafka.Side, n int) (bench.Cost, error) { return cluster.Publish(side, 64, 1, bench.Times(n)) },
		"reading": func(side kafka.Side, n int) (bench.Cost, error) { return cluster.Consume(side, n, 1, 0) },
		"working": func(side kafka.Side, n int) (bench.Cost, error) {
			return cluster.Consume(side, n, 64, time.Millisecond)
		},
	}
	for name, job := range jobs {
		for _, side := range kafka.Sides() {
			if name == "working" && !side.Ordered {
				continue
			}
			b.Run(name+"/"+side.Name, func(b *testing.B) {
				cost, err := job(side, b.N)
				require.NoError(b, err)
				each := cost.Each()
				b.ReportMetric(each.CPU*1000, "cpu-ns/msg")
				b.ReportMetric(each.Wall*1000, "ns/msg")
				b.ReportMetric(each.Allocs, "allocs/msg")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
