package kafka_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/kafka"
)

// sarama's metrics have a goroutine that never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// Every side does every job, and loses nothing.
func TestJobs(t *testing.T) {
	cluster, err := kafka.Start()
	require.NoError(t, err)
	defer cluster.Close()
	for _, side := range kafka.Sides() {
		cost, err := cluster.Publish(side, 1, 100, bench.Times(1000))
		require.NoError(t, err, side.Name)
		require.GreaterOrEqual(t, cost.Events, 1000)
		cost, err = cluster.Publish(side, 8, 1, bench.Times(100))
		require.NoError(t, err, side.Name)
		require.GreaterOrEqual(t, cost.Events, 100)
		cost, err = cluster.Consume(side, 2000, 1, 0)
		require.NoError(t, err, side.Name)
		require.Equal(t, 2000, cost.Events)
	}
	for _, side := range kafka.Sides() {
		if !side.Ordered {
			continue
		}
		_, err := cluster.Consume(side, 500, 64, time.Millisecond)
		require.NoError(t, err, side.Name)
		within := time.Second
		if side.Name == kafka.NotifyName {
			within = time.Minute // others get stuck, and there is no use in waiting for them
		}
		share, err := cluster.Poison(side, 4*kafka.Keys, 4, within)
		require.NoError(t, err, side.Name)
		if side.Name == kafka.NotifyName {
			require.Equal(t, 1.0, share)
		}
		t.Log(side.Name, share)
	}
}
