package timelinetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// labelled gives all events the labels.
func labelled(h *history, labels map[string]string) []notify.Event[any] {
	events := slices.Clone(h.events)
	for i := range events {
		events[i].Labels = labels
	}
	return events
}

// planned is over its first channel; the second was not needed.
func planned(id string, at time.Time) *history {
	return accepted(id, at).
		after(0, "routed", notify.Routed{Legs: []notify.Leg{push, email}}).
		after(0, "sending", notify.Sending{Attempt: fcm, Call: 1}).
		after(0, "sent", notify.Sent{Attempt: fcm, MessageID: "m_1"}).
		after(0, "settled", notify.Settled{State: notify.StateSent, Attempts: 1, Calls: 1})
}

// unrenderable never began an attempt.
func unrenderable(id string, at time.Time) *history {
	return accepted(id, at).
		after(0, "routed", notify.Routed{Legs: []notify.Leg{email}}).
		after(0, "failed", notify.Failed{Attempt: notify.Attempt{Leg: email}, Reason: notify.EndUnrenderable}).
		after(0, "undeliverable", notify.Undeliverable{Reason: notify.UndeliverableExhausted}).
		after(0, "settled", notify.Settled{State: notify.StateFailed})
}

func checkTags(t *testing.T, s timeline.Store) {
	at := func(hour int) time.Time { return began.Add(time.Duration(hour) * time.Hour) }
	long := strings.Repeat("v", 128)
	all := [][]notify.Event[any]{
		labelled(accepted("n_0", at(0)), nil),
		labelled(planned("n_1", at(1)), map[string]string{"order": "A-1", "shop": "Graz"}),
		labelled(full("n_2", at(2)), map[string]string{"order": "A-2", "shop": "Graz"}),
		labelled(unrenderable("n_3", at(3)), map[string]string{"order": "", "Ort": "Köln <1>\u2028'\"", "n": "channel"}),
		labelled(planned("n_4", at(4)), map[string]string{"order": "A-1", "channel": "email", "long": long}),
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, events := range all { // the order of the events does not count
		events = slices.Clone(events)
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		add(t, s, events...)
	}
	label := func(pairs ...string) timeline.Query {
		q := timeline.Query{AllTenants: true, Labels: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			q.Labels[pairs[i]] = pairs[i+1]
		}
		return q
	}
	with := func(q timeline.Query, change func(*timeline.Query)) timeline.Query {
		change(&q)
		return q
	}
	for i, tc := range []struct {
		query timeline.Query
		want  []string
	}{
		{timeline.Query{AllTenants: true, Channel: notify.PushChannel}, []string{"n_4", "n_2", "n_1"}},
		{timeline.Query{AllTenants: true, Channel: notify.EmailChannel}, []string{"n_3", "n_2"}}, // not those whose plan held it ready
		{timeline.Query{AllTenants: true, Channel: notify.SMSChannel}, nil},
		{timeline.Query{AllTenants: true, Channel: "EMAIL"}, nil},
		{label(), []string{"n_4", "n_3", "n_2", "n_1", "n_0"}},
		{label("order", "A-1"), []string{"n_4", "n_1"}},
		{label("order", "a-1"), nil},
		{label("order", ""), []string{"n_3"}},
		{label("Order", "A-1"), nil},
		{label("A-1", "order"), nil},
		{label("shop", "Graz"), []string{"n_2", "n_1"}},
		{label("shop", "Graz", "order", "A-1"), []string{"n_1"}},
		{label("shop", "Graz", "order", "A-1", "n", "channel"), nil},
		{label("Ort", "Köln <1>\u2028'\"", "n", "channel"), []string{"n_3"}},
		{label("channel", "email"), []string{"n_4"}}, // a label, and no channel
		{label("long", long), []string{"n_4"}},
		{label("long", long[1:]), nil},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.Channel = notify.PushChannel }), []string{"n_4", "n_1"}},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.Channel = notify.EmailChannel }), nil},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.From = at(2) }), []string{"n_4"}},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.Until = at(2) }), []string{"n_1"}},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.RecipientID = "u_1" }), []string{"n_4", "n_1"}},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.RecipientID = "u_2" }), nil},
		{with(label("order", "A-1"), func(q *timeline.Query) { q.Category, q.Settled = "shipping", new(true) }), []string{"n_4", "n_1"}},
		{timeline.Query{AllTenants: true, Channel: notify.EmailChannel, States: []notify.State{notify.StateFailed}}, []string{"n_3"}},
	} {
		for limit := range 3 {
			tc.query.Limit = limit
			if limit > 0 {
				require.Equal(t, tc.want, read(t, s, tc.query), "query %d, pages of %d", i, limit)
				of := tc.query // all of them are
				of.AllTenants, of.Tenant = false, "shop"
				require.Equal(t, tc.want, read(t, s, of), "query %d of the tenant, pages of %d", i, limit)
				of.Tenant = ""
				require.Empty(t, read(t, s, of), "query %d of no tenant", i)
				continue
			}
			page, err := s.List(t.Context(), tc.query)
			require.NoError(t, err)
			require.Equal(t, tc.want, ids(page.Entries), "query %d", i)
			for _, e := range page.Entries {
				require.True(t, tc.query.Matches(e), "query %d: %s", i, e.Status.NotificationID)
			}
		}
	}
	for i, events := range all {
		got, err := s.Get(t.Context(), fmt.Sprint("n_", i))
		require.NoError(t, err)
		require.Equal(t, events[0].Labels, got.Labels)
	}
}

// checkLateTags: what an entry is found by follows its events, like its place.
func checkLateTags(t *testing.T, s timeline.Store) {
	list := func(q timeline.Query) []string {
		page, err := s.List(t.Context(), q)
		require.NoError(t, err)
		return ids(page.Entries)
	}
	b, a := map[string]string{"order": "B"}, map[string]string{"order": "A"}
	h := planned("n_1", began)
	events := labelled(h, b)
	events[1].Labels = nil
	add(t, s, events[1:4]...)
	require.Equal(t, []string{"n_1"}, list(timeline.Query{AllTenants: true, Labels: b}))
	require.Equal(t, []string{"n_1"}, list(timeline.Query{AllTenants: true, Channel: notify.PushChannel}))

	// One that happened before has other labels; the host's own event counts for none.
	early := events[0]
	early.Labels, early.Time = a, early.Time.Add(-time.Hour)
	hosts := events[0]
	hosts.ID, hosts.Type, hosts.Data = "n_1/own", "shop.paid.v1", notify.Raw(`{}`)
	hosts.Labels, hosts.Time = map[string]string{"order": "C"}, began.Add(-2*time.Hour)
	add(t, s, hosts, early)
	require.Empty(t, list(timeline.Query{AllTenants: true, Labels: b}))
	require.Empty(t, list(timeline.Query{AllTenants: true, Labels: hosts.Labels}))
	require.Equal(t, []string{"n_1"}, list(timeline.Query{AllTenants: true, Labels: a}))

	// Accepted, which says where it belongs, moved it in these lists, too.
	add(t, s, labelled(planned("n_2", began.Add(-time.Minute)), a)...)
	require.Equal(t, []string{"n_2", "n_1"}, list(timeline.Query{AllTenants: true, Labels: a}))
	require.Equal(t, []string{"n_2", "n_1"}, list(timeline.Query{AllTenants: true, Channel: notify.PushChannel}))
	require.Equal(t, []string{"n_2"}, list(timeline.Query{AllTenants: true, Labels: a, From: began.Add(-time.Minute)}))
}
