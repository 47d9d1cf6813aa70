package postgres_test

import (
	"testing"
	"time"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestBackend(t *testing.T) {
	notifytest.TestBackend(t, func(tb testing.TB) backend.Backend {
		return postgres.New(dsn, schema(tb), func(c *postgres.Config) { c.MaxRecords, c.MaxDeadLetters, c.MaxWork = 600, 500, 500 })
	}, notifytest.Features{
		Consumer: true, Positioner: true, DelayedPublisher: true, Records: true, Atomic: true, DeadLetters: true, DeadLetterCounter: true, Admitter: true,
		Ordered: true, Concurrent: true, Shared: true, Kept: true,
		MaxRecords: 600, MaxDeadLetters: 500, MaxWork: 500,
		Quiet: 100 * time.Millisecond,
	})
}
