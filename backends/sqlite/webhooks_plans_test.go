package sqlite_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// Every statement of the stores finds its rows by an index, in their order.
func TestHandlersUseIndexes(t *testing.T) {
	t.Parallel()
	file, at := path(t), now()
	b := open(t, file, func(c *sqlite.Config) { c.MaxWebhookPending, c.MaxWebhookMessages = 3, 3 })
	hooks, list := b.Webhooks(), b.Suppression()
	for _, id := range []string{"ep_1", "ep_1", "ep_2", "ep_3"} {
		putHooks(t, hooks, hook(id, func(e *webhook.Endpoint) { e.Ordered = id == "ep_2" }))
	}
	addHooks(t, hooks, at, 10, "a", "b")
	require.Len(t, claimHooks(t, hooks, at, 9), 3)
	addHooks(t, hooks, at, 10, "c", "d", "e")
	for i, c := range claimHooks(t, hooks, at.Add(time.Hour), 9) {
		require.NoError(t, hooks.Finish(t.Context(), c, tried(c, at, "", []time.Time{{}, at}[i%2])))
	}
	require.NoError(t, hooks.Switch(t.Context(), "ep_1", webhook.DisabledByHost, at))
	_, _, err := hooks.Replay(t.Context(), "ep_1", at)
	require.NoError(t, err)
	for _, q := range []webhook.Query{{AllTenants: true}, {}, {Tenant: "shop"}} {
		for _, q.Disabled = range []*bool{nil, new(true), new(false)} {
			_, err := hooks.List(t.Context(), q)
			require.NoError(t, err)
		}
	}
	for _, q := range []webhook.AttemptQuery{{}, {MessageID: "a"}, {Failed: true}, {MessageID: "a", Failed: true}} {
		q.EndpointID = "ep_1"
		_, err := hooks.Attempts(t.Context(), q)
		require.NoError(t, err)
	}
	require.NoError(t, hooks.Delete(t.Context(), "ep_3"))

	ann := suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: "ann"}}
	require.NoError(t, list.Set(t.Context(), suppression.Entry{Key: ann, Reason: suppression.ByHost, At: at}))
	_, err = list.Find(t.Context(), "shop", ann.Subject, suppression.Subject{AddressHash: "Zm9v"})
	require.NoError(t, err)
	for _, q := range []suppression.Query{{AllTenants: true}, {Tenant: "bank"}, {Tenant: "shop"}, {Tenant: "shop", Channel: notify.EmailChannel}} {
		for _, recipient := range []string{"", "ann"} {
			for _, after := range []string{"", ann.Cursor()} {
				q.RecipientID, q.After = recipient, after
				_, err := list.List(t.Context(), q)
				require.NoError(t, err)
			}
		}
	}

	statements, err := sqlite.Statements(b)
	require.NoError(t, err)
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	explained := 0
	for _, statement := range statements {
		if strings.Contains(statement, "count(*)") || !strings.Contains(statement, "webhook_") && !strings.Contains(statement, "suppressions") {
			continue // what is read once, when the file is opened, and what is none of these
		}
		explained++
		for _, step := range plan(t, db, statement) {
			require.NotContains(t, step, "SCAN webhook_", statement)
			require.NotContains(t, step, "SCAN suppressions", statement)
			require.NotContains(t, step, "SCAN e", statement)
			require.NotContains(t, step, "SCAN m", statement)
			require.NotContains(t, step, "SCAN w", statement)
			require.NotContains(t, step, "FOR ORDER BY", statement)
		}
	}
	require.Greater(t, explained, 40)
	// A control: it would be seen.
	require.Contains(t, plan(t, db, "SELECT body FROM webhook_messages ORDER BY size"), "SCAN webhook_messages")
}

func plan(t *testing.T, db *sql.DB, statement string) (steps []string) {
	t.Helper()
	rows, err := db.Query("EXPLAIN QUERY PLAN "+statement, make([]any, strings.Count(statement, "?"))...)
	require.NoError(t, err, statement)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return steps
}
