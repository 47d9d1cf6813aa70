package settle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/handlers/settle"
	"github.com/seed-6c01d079/notify/notifytest"
)

// opened returns a bench on a backend that outlives it.
func opened(t *testing.T, shared notify.Backend, limits func(*settle.Config)) *notifytest.Bench {
	b := notifytest.Open(t, func(c *notify.Config) {
		c.Backend, c.KeepBackend = shared, true
		c.Roles = &notify.Roles{Route: true, Observe: true, Elsewhere: []notify.Channel{notify.EmailChannel, notify.SMSChannel}}
	})
	if limits != nil {
		b.Notifier.Attach(settle.New(limits))
	}
	b.Patience = 400 * day
	return b
}

// A limit counts through restarts: what a process wrote, the next one ends, when
// it would have been, or at once if that is over.
func TestRestarts(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]time.Duration{"before the limit": time.Hour, "over the limit": day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) {
				shared := memory.New()
				first := opened(t, shared, defaults)
				id := first.Send(by(notify.EmailChannel))
				first.Until(id, notify.Routed{})
				first.Pass(3 * time.Hour)
				first.Close()
				began := time.Now().Add(-3 * time.Hour)
				time.Sleep(down)
				second := opened(t, shared, defaults)
				second.Start()
				second.Settle(id)
				require.Equal(t, max(channelLimit, 3*time.Hour+down), time.Since(began))
				second.Require(id, notifytest.Sequence(notify.Stuck{Phase: notify.PhaseRouted}, notify.Expired{}, notify.Settled{}))
				second.Close()
				require.NoError(t, shared.Close())
			})
		})
	}
}

// What was told before a restart is not told again, and the policy of the next
// process ends it.
func TestToldBefore(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) {
		shared := memory.New()
		first := opened(t, shared, then(notify.PhaseRouted, settle.Report))
		id := first.Send(by(notify.EmailChannel))
		first.Until(id, notify.Stuck{})
		first.Close()
		second := opened(t, shared, then(notify.PhaseRouted, settle.Report))
		second.Start()
		second.Pass(2 * day)
		second.Require(id, notifytest.Never(notify.Stuck{}))
		second.Close()
		third := opened(t, shared, defaults)
		third.Start()
		third.Settle(id)
		third.Require(id, notifytest.Never(notify.Stuck{}), notifytest.Once(notify.Settled{State: notify.StateExpired}))
		third.Close()
		require.NoError(t, shared.Close())
	})
}

// Limits that are new, or shorter than before, hold for what is waiting already:
// it is looked at from time to time.
func TestLimitsChange(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*settle.Config){
		"none":   nil,
		"longer": func(c *settle.Config) { c.Routed.After = 100 * day },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, func(t *testing.T, _ *notifytest.Bench) {
				shared := memory.New()
				first := opened(t, shared, before)
				id := first.Send(by(notify.EmailChannel))
				first.Until(id, notify.Routed{})
				first.Pass(day)
				first.Close()
				second := opened(t, shared, defaults)
				second.Start()
				second.Pass(33 * time.Minute)
				second.Require(id, notifytest.Once(notify.Settled{State: notify.StateExpired}))
				second.Close()
				require.NoError(t, shared.Close())
			})
		})
	}
}
