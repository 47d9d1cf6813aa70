package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/kafka"
)

// withinKafka are results that meet every budget.
func withinKafka() *kafkaResults {
	r := &kafkaResults{plan: standardKafka(), costs: map[[2]string][]bench.Each{}, shares: map[string][]float64{
		kafka.NotifyName: {1}, kafka.WatermillName: {0.75},
	}}
	for _, job := range kafkaJobs {
		r.costs[[2]string{job.name, kafka.NotifyName}] = []bench.Each{{Wall: 1}}
		r.costs[[2]string{job.name, kafka.WatermillName}] = []bench.Each{{Wall: 30}}
	}
	return r
}

func TestEveryKafkaBudgetCanBeMissed(t *testing.T) {
	t.Parallel()
	missed := func(r *kafkaResults) (names []string) {
		for _, b := range r.budgets() {
			if !b.met {
				names = append(names, b.what)
			}
		}
		return names
	}
	require.Empty(t, missed(withinKafka()))
	for job, takes := range map[string]float64{batches: 19, singles: 0.7, reading: 0.9, working: 9} {
		r := withinKafka()
		r.costs[[2]string{job, kafka.WatermillName}] = []bench.Each{{Wall: takes}}
		require.Equal(t, []string{job + ", against watermill-kafka"}, missed(r))
	}
	r := withinKafka()
	r.shares[kafka.NotifyName] = []float64{1, 0.99}
	require.Equal(t, []string{"one poisoned key"}, missed(r))
}

func TestASmallKafkaPlan(t *testing.T) {
	var progress, out bytes.Buffer
	p := kafkaPlan{rounds: 1, turns: 2, length: 10 * time.Millisecond, read: 2000, worked: 500}
	r, err := p.carryOut(&progress)
	require.NoError(t, err)
	r.print(&out)
	for _, side := range kafka.Sides() {
		require.Contains(t, out.String(), side.Name)
	}
	require.NotContains(t, out.String(), "NaN")
	require.NotContains(t, out.String(), "Inf")
}
