package postgres_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// tagged are events that bring tags of every kind.
func tagged(at time.Time) (events []notify.Event[any]) {
	push, email := notify.Leg{Leg: 1, Channel: notify.PushChannel}, notify.Leg{Leg: 2, Channel: notify.EmailChannel}
	fcm := notify.Attempt{Leg: push, Attempt: 1, Provider: "fcm"}
	add := func(id, name string, data any, change func(*notify.Envelope)) {
		e := event(id, at, fmt.Sprint(len(events)), "notify."+name+".v1", data)
		e.RecipientID, e.Tenant = "u_1", "shop"
		e.Labels = map[string]string{"order": "A \"1\"", "Ort": "Köln\u2028"}
		if change != nil {
			change(&e.Envelope)
		}
		events = append(events, e)
	}
	add("n_1", "routed", notify.Routed{Legs: []notify.Leg{push, email}}, nil)
	add("n_1", "sending", notify.Sending{Attempt: fcm, Call: 1}, nil)
	add("n_2", "failed_over", notify.FailedOver{From: fcm, To: notify.Attempt{Leg: email}, Reason: notify.EndRejected}, nil)
	add("n_2", "failed", notify.Failed{Attempt: notify.Attempt{Leg: email}, Reason: notify.EndUnrenderable}, func(e *notify.Envelope) {
		e.Time, e.Labels = at.Add(-time.Second).UTC(), map[string]string{"order": "earlier"}
	})
	add("n_3", "expired", notify.Expired{Leg: email, At: at}, func(e *notify.Envelope) { e.Labels = nil })
	add("n_4", "opened", notify.Opened{Engagement: notify.Engagement{Attempt: fcm}}, nil)
	add("n_5", "suppressed", notify.Suppressed{Guard: "list"}, func(e *notify.Envelope) { e.RecipientID, e.Tenant = "u_2", "" })
	add("n_5", "opened", notify.Opened{}, nil)
	add("n_5", "own", notify.Raw(`{"leg":1,"channel":"sms"}`), func(e *notify.Envelope) { e.Type = "shop.sending.v1" })
	return events
}

func allTags(t *testing.T, conn *pgx.Conn, schema string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select name||'|'||value||'|'||at||'|'||id from "`+schema+`".timeline_tag order by 1`)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return all
}

// A schema from before there were tags gets those that its events would have
// brought.
func TestEntriesFromBeforeGetTheirTags(t *testing.T) {
	t.Parallel()
	const first = "0004_timeline.sql"
	named, old := schema(t), schema(t)
	s := records(t, named).Timeline(codec(t))
	for _, e := range tagged(time.Now()) {
		require.NoError(t, s.Add(t.Context(), e))
	}
	conn := connect(t)
	want := allTags(t, conn, schemaOf(named))
	require.Len(t, want, 11, want)

	exec := func(query string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), query)
		require.NoError(t, err, query)
	}
	exec("create schema " + schemaOf(old))
	exec("set search_path to " + schemaOf(old))
	exec("create table migration (version integer primary key, applied timestamptz not null default now())")
	steps, err := filepath.Glob("migrations/*.sql")
	require.NoError(t, err)
	for i, step := range steps {
		if filepath.Base(step) == first {
			break
		}
		script, err := os.ReadFile(step)
		require.NoError(t, err)
		exec(string(script))
		exec(fmt.Sprintf("insert into migration (version) values (%d)", i+1))
	}
	exec("insert into timeline select * from " + schemaOf(named) + ".timeline")
	exec("insert into timeline_event overriding system value select * from " + schemaOf(named) + ".timeline_event")

	page, err := records(t, old).Timeline(codec(t)).List(t.Context(), timeline.Query{Tenant: "shop", Labels: map[string]string{"order": "earlier"}})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Equal(t, want, allTags(t, conn, schemaOf(old)))
}
