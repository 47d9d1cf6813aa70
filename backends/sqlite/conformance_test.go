package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestConformance(t *testing.T) {
	notifytest.TestBackend(t, func(tb testing.TB) backend.Backend {
		return sqlite.Open(filepath.Join(tb.TempDir(), "notify.db"), func(c *sqlite.Config) {
			c.MaxRecords, c.MaxDeadLetters, c.MaxWork = 600, 500, 500
		})
	}, notifytest.Features{
		Consumer: true, Positioner: true, DelayedPublisher: true, Records: true, Atomic: true, DeadLetters: true, DeadLetterCounter: true,
		Admitter: true, SecretKeeper: true, Presence: true,
		Ordered: true, Concurrent: true, Shared: true, Kept: true,
		MaxRecords: 600, MaxDeadLetters: 500, MaxWork: 500, Quiet: 20 * time.Millisecond,
	})
}
