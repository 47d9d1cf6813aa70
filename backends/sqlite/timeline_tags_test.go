package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// tagged are events that bring tags of every kind.
func tagged(at time.Time) (events []notify.Event[any]) {
	push, email := notify.Leg{Leg: 1, Channel: notify.PushChannel}, notify.Leg{Leg: 2, Channel: notify.EmailChannel}
	fcm := notify.Attempt{Leg: push, Attempt: 1, Provider: "fcm"}
	add := func(id, name string, data any, change func(*notify.Envelope)) {
		e := notify.Event[any]{Envelope: notify.Envelope{
			ID: fmt.Sprint(id, "/", len(events)), Type: "notify." + name + ".v1", Source: "notify", NotificationID: id,
			RecipientID: "u_1", Tenant: "shop", Labels: map[string]string{"order": "A \"1\"", "Ort": "Köln\u2028"}, Time: at, Seen: at,
		}, Data: data}
		if change != nil {
			change(&e.Envelope)
		}
		events = append(events, e)
	}
	add("n_1", "routed", notify.Routed{Legs: []notify.Leg{push, email}}, nil)
	add("n_1", "sending", notify.Sending{Attempt: fcm, Call: 1}, nil)
	add("n_2", "failed_over", notify.FailedOver{From: fcm, To: notify.Attempt{Leg: email}, Reason: notify.EndRejected}, nil)
	add("n_2", "failed", notify.Failed{Attempt: notify.Attempt{Leg: email}, Reason: notify.EndUnrenderable}, func(e *notify.Envelope) {
		e.Time, e.Labels = at.Add(-time.Second), map[string]string{"order": "earlier"}
	})
	add("n_3", "expired", notify.Expired{Leg: email, At: at}, func(e *notify.Envelope) { e.Labels = nil })
	add("n_4", "opened", notify.Opened{Engagement: notify.Engagement{Attempt: fcm}}, nil)
	add("n_5", "suppressed", notify.Suppressed{Guard: "list"}, func(e *notify.Envelope) { e.RecipientID, e.Tenant = "u_2", "" })
	add("n_5", "opened", notify.Opened{}, nil)
	add("n_5", "own", notify.Raw(`{"leg":1,"channel":"sms"}`), func(e *notify.Envelope) { e.Type = "shop.sending.v1" })
	return events
}

const allTags = "SELECT name || '|' || value || '|' || at || '|' || notification FROM timeline_tags ORDER BY 1"

func texts(t *testing.T, file, query string) (found []string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query(query)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		found = append(found, one)
	}
	require.NoError(t, rows.Err())
	return found
}

// A file of the schema before there were tags gets those that its events would
// have brought.
func TestEntriesFromBeforeGetTheirTags(t *testing.T) {
	t.Parallel()
	const before = 2
	file := path(t)
	b := open(t, file)
	s := b.Timeline(codec(t))
	for _, e := range tagged(time.Now()) {
		require.NoError(t, s.Add(t.Context(), e))
	}
	require.NoError(t, b.Close())
	want := texts(t, file, allTags)
	require.Len(t, want, 11, want)

	old := path(t)
	var script strings.Builder
	for n := 1; n <= before; n++ {
		step, err := os.ReadFile(fmt.Sprintf("schema/%d.sql", n))
		require.NoError(t, err)
		script.Write(step)
	}
	fmt.Fprintf(&script, `ATTACH '%s' AS new;
		INSERT INTO main.timeline SELECT * FROM new.timeline;
		INSERT INTO main.timeline_events SELECT * FROM new.timeline_events;
		PRAGMA application_id = 1852798054;
		PRAGMA user_version = %d;`, file, before)
	query(t, old, script.String())
	migrated := open(t, old)
	page, err := migrated.Timeline(codec(t)).List(t.Context(), timeline.Query{Tenant: "shop", Labels: map[string]string{"order": "earlier"}})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.NoError(t, migrated.Close())
	require.Equal(t, want, texts(t, old, allTags))
}

// What is asked for by a label or a channel is found by an index, in the order
// of the list.
func TestTagsAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	file := path(t)
	open(t, file)
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	for _, q := range []timeline.Query{
		{Channel: "sms"},
		{Channel: "sms", AllTenants: true},
		{Channel: "sms", Tenant: "shop"},
		{Labels: map[string]string{"order": "A"}, From: time.Now(), After: timeline.Position{At: time.Now(), ID: "n"}.Cursor()},
		{Labels: map[string]string{"order": "A"}, Channel: "sms", Tenant: "shop"},
		{Labels: map[string]string{"order": "A"}, Channel: "sms", RecipientID: "u_1"},
	} {
		text, _, err := sqlite.ListQuery(q)
		require.NoError(t, err)
		plan := plan(t, db, text)
		for _, step := range plan {
			require.NotContains(t, step, "SCAN ", plan)
			require.NotContains(t, step, "TEMP B-TREE", plan)
		}
	}
}

// Nearly all may have gone over a channel: what is asked for beside it is what the
// list is read by.
func TestChannelsAreLookedUpLast(t *testing.T) {
	t.Parallel()
	label := map[string]string{"order": "A"}
	for _, q := range []timeline.Query{{Channel: "sms", Labels: label}, {Channel: "sms", Labels: label, Tenant: "shop"}} {
		text, args, err := sqlite.ListQuery(q)
		require.NoError(t, err)
		require.Equal(t, []any{"label.order", "A"}, args[:2], text)
	}
	text, _, err := sqlite.ListQuery(timeline.Query{Channel: "sms", Tenant: "shop"})
	require.NoError(t, err)
	require.Contains(t, text, "FROM timeline t WHERE")
}

// All may be of the tenant without a name: its index is read only if the list would
// be read by nothing but their times.
func TestTheTenantWithoutANameIsLookedUpLast(t *testing.T) {
	t.Parallel()
	file := path(t)
	open(t, file)
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	label, failed := map[string]string{"order": "A"}, []notify.State{notify.StateFailed}
	explained := func(q timeline.Query, change ...string) (text, first string) {
		text, _, err := sqlite.ListQuery(q)
		require.NoError(t, err)
		text = strings.NewReplacer(change...).Replace(text)
		steps := plan(t, db, text)
		require.NotContains(t, strings.Join(steps, "\n"), "TEMP B-TREE")
		return text, steps[0]
	}
	const byTenant, byRecipient = "USING INDEX timeline_tenant (tenant=?)", "USING INDEX timeline_recipient (recipient=?)"
	const byTag = "SEARCH g USING PRIMARY KEY (name=? AND value=?)"
	for _, tc := range []struct {
		query timeline.Query
		want  string
	}{
		{timeline.Query{States: failed}, byTenant},
		{timeline.Query{Settled: new(true), Category: "shipping"}, byTenant},
		{timeline.Query{Channel: "sms"}, byTag},
		{timeline.Query{Channel: "sms", States: failed}, byTag},
		{timeline.Query{Labels: label}, byTag},
		{timeline.Query{Labels: label, Channel: "sms"}, byTag},
		{timeline.Query{RecipientID: "u_1"}, byRecipient},
		{timeline.Query{RecipientID: "u_1", States: failed}, byRecipient},
		{timeline.Query{RecipientID: "u_1", Channel: "sms"}, byRecipient},
		{timeline.Query{RecipientID: "u_1", Labels: label}, byRecipient},
		{timeline.Query{RecipientID: "u_1", Tenant: "shop"}, byRecipient},
	} {
		text, first := explained(tc.query)
		require.Contains(t, first, tc.want, text)
	}
	// A control: left to itself, the planner takes the wrong one.
	_, first := explained(timeline.Query{RecipientID: "u_1"}, "+t.tenant", "t.tenant")
	require.Contains(t, first, byTenant)
}
