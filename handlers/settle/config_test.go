package settle_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/settle"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/topology"
)

// problems are what Run finds wrong, by field.
func problems(t *testing.T, config notify.Config, register func(n *notify.Notifier)) map[string]string {
	t.Helper()
	n, err := notify.New(config)
	require.NoError(t, err)
	register(n)
	found := map[string]string{}
	for _, f := range notify.FieldErrors(n.Run(context.Background())) {
		found[f.Field] += f.Problem + ";"
	}
	require.NoError(t, n.Close(context.Background()))
	return found
}

// All that is wrong is told at once.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	found := problems(t, notify.Config{}, func(n *notify.Notifier) {
		n.Attach(settle.New(func(c *settle.Config) {
			c.Accepted = notify.Limit{After: 59 * time.Minute, Then: settle.Expire}
			c.Held = notify.Limit{After: time.Second, Then: "drop"}
			c.Routed.After = 5 * time.Hour
			c.Retrying = notify.Limit{After: 401 * day, Then: settle.Unknown}
			c.Sending = notify.Limit{After: 20 * time.Minute, Then: settle.Expire}
			c.Sent.Then = settle.Unknown
		}))
		notify.Use(n, notifytest.NewProvider[notify.Email]("mail"), func(c *notify.ProviderConfig) { c.AttemptTimeout = 20 * time.Minute })
	})
	for field, problem := range map[string]string{
		"Limits.Accepted.After": "must be at least 1h0m0s",
		"Limits.Held.After":     "must be negative (no limit), 0 (the default, 168h0m0s) or from 1m0s",
		"Limits.Held.Then":      "must be one of the LimitPolicy constants",
		"Limits.Routed.After":   "must be at least 6h0m0s",
		"Limits.Retrying.After": "must be negative",
		"Limits.Retrying.Then":  "nothing was sent",
		"Limits.Sending.After":  "must be at least 20m10s, the longest call of mail",
		"Limits.Sending.Then":   "it may have been sent",
		"Limits.Sent.Then":      "it is known to be sent",
	} {
		require.Contains(t, found[field], problem, field)
	}
	require.Len(t, found, 9, "%v", found)
}

func TestWhereItHasNoPlace(t *testing.T) {
	t.Parallel()
	require.Contains(t, problems(t, notify.Config{Records: notify.NoRecords(nil)}, func(n *notify.Notifier) {
		n.Attach(settle.New())
	})["Linger"], "need records")
	require.Contains(t, problems(t, notify.Config{}, func(n *notify.Notifier) {
		n.Attach(settle.New(), settle.New())
	})["Linger"], "are set already")
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		b.Start()
		b.Notifier.Attach(settle.New())
		require.ErrorContains(t, b.Notifier.Ready(t.Context()), "must be registered before Run")
	})
}

// A limit that was not set follows the budget that it has to outlast.
func TestDefaultsFollowTheBudgets(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{Budgets: notify.Budgets{Channel: 30 * day}})
	require.NoError(t, err)
	n.Attach(settle.New(func(c *settle.Config) { c.Sent.After = -1 }))
	month := 30*day + time.Hour
	require.Equal(t, []topology.Limit{
		{Phase: "accepted", After: 2 * time.Hour},
		{Phase: "held", After: 7 * day},
		{Phase: "retrying", After: month, Then: "expire"},
		{Phase: "routed", After: month, Then: "expire"},
		{Phase: "sending", After: month, Then: "unknown"},
	}, n.Topology().Limits)
	require.NoError(t, n.Close(t.Context()))
}

// The graph shows what the sweep raises because of limits, and nothing of it
// without.
func TestTopology(t *testing.T) {
	t.Parallel()
	for _, limited := range []bool{false, true} {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		if limited {
			n.Attach(settle.New())
		}
		g := n.Topology()
		for _, event := range []string{"accepted", "unknown", "failed_over", "suppressed"} {
			e, _ := g.Event("notify." + event + ".v1")
			require.Equal(t, limited, strings.Contains(strings.Join(e.RaisedBy, " "), "sweep"), event)
		}
		require.Equal(t, limited, strings.Contains(g.Pages()["topology.md"], "## Limits"))
		require.NoError(t, n.Close(t.Context()))
	}
}
