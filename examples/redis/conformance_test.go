package main

import (
	"testing"
	"time"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/notifytest"
)

// features are those of redisstream behind notify.FromWatermill.
func features() notifytest.Features {
	return notifytest.Features{
		// FromWatermill consumes by itself, on Watermill's Router.
		Consumer: true,
		// Members of a group share its messages, and what a member that left had
		// not finished is claimed by another, after settings.Idle.
		Shared: true,
		// A stream keeps its messages, and a group its position.
		Kept: true,

		// Ordered is missing: a second member gets the next message of a key while
		// the first still has the one before; and what a member that leaves or
		// dies had read comes after settings.Idle, when later ones have been
		// handled. As long as one member stays, order is kept: TestOneMemberKeepsOrder.
		Ordered: false,
		// Concurrent is missing: a subscription gets one message at a time. With
		// several lanes up to two more are read behind a slow one and wait for it:
		// TestLanes.
		Concurrent: false,
		// The optional interfaces are missing, since FromWatermill knows no more
		// than publishing and subscribing: Positioner (XGROUP SETID would be one),
		// DelayedPublisher (a stream has no times), Records, Atomic, DeadLetters
		// and SecretKeeper (a stream is no store), Admitter (nothing bounds what
		// waits), LocalPublisher (it leaves the process).
	}
}

// hasty has what dead members held claimed soon enough for a test, and later
// than the suite holds any message, on a busy machine too.
func hasty(lanes int) settings {
	return settings{Idle: 5 * time.Second, Look: 50 * time.Millisecond, Block: 20 * time.Millisecond, Group: everything(lanes)}
}

func TestConformance(t *testing.T) {
	notifytest.TestBackend(t, func(tb testing.TB) backend.Backend {
		return openTest(tb, emptyRedis(tb), hasty(1))
	}, features())
}

// The pipeline's groups have several lanes.
func TestConformanceWithLanes(t *testing.T) {
	notifytest.TestBackend(t, func(tb testing.TB) backend.Backend {
		return openTest(tb, emptyRedis(tb), hasty(4))
	}, features())
}
