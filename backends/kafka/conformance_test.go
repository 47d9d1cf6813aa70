package kafka_test

import (
	"testing"
	"time"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestConformance(t *testing.T) {
	brokers := cluster(t)
	notifytest.TestBackend(t, func(tb testing.TB) backend.Backend {
		return open(tb, brokers, config())
	}, notifytest.Features{
		Consumer: true, Positioner: true, DelayedPublisher: true, Tailer: true,
		Ordered: true, Concurrent: true, Shared: true, Kept: true,
		Quiet: 50 * time.Millisecond,
	})
}
