package timelinetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func checkFilters(t *testing.T, s timeline.Store) {
	at := func(hour int) time.Time { return began.Add(time.Duration(hour) * time.Hour) }
	for i, h := range []*history{accepted("n_0", at(0)), canceled("n_1", at(1)), full("n_2", at(2)), canceled("n_3", at(3))} {
		for _, e := range h.events {
			e.RecipientID = []string{"u_1", "u_2"}[i%2]
			e.Tenant = []string{"shop", "shop", "", "bank"}[i]
			e.Category = []string{"shipping", "", "shipping", "login"}[i]
			add(t, s, e)
		}
	}
	for _, tc := range []struct {
		name  string
		query timeline.Query
		want  []string
	}{
		{"all", timeline.Query{AllTenants: true}, []string{"n_3", "n_2", "n_1", "n_0"}},
		{"recipient", timeline.Query{AllTenants: true, RecipientID: "u_2"}, []string{"n_3", "n_1"}},
		{"unknown recipient", timeline.Query{AllTenants: true, RecipientID: "U_2"}, nil},
		{"tenant", timeline.Query{Tenant: "shop"}, []string{"n_1", "n_0"}},
		{"the tenant without a name", timeline.Query{}, []string{"n_2"}},
		{"unknown tenant", timeline.Query{Tenant: "Shop"}, nil},
		{"category", timeline.Query{AllTenants: true, Category: "shipping"}, []string{"n_2", "n_0"}},
		{"state", timeline.Query{AllTenants: true, States: []notify.State{notify.StateCanceled}}, []string{"n_3", "n_1"}},
		{"states", timeline.Query{AllTenants: true, States: []notify.State{notify.StateBounced, notify.StateAccepted}}, []string{"n_2", "n_0"}},
		{"unknown state", timeline.Query{AllTenants: true, States: []notify.State{"?"}}, nil},
		{"settled", timeline.Query{AllTenants: true, Settled: new(true)}, []string{"n_3", "n_2", "n_1"}},
		{"not settled", timeline.Query{AllTenants: true, Settled: new(false)}, []string{"n_0"}},
		{"from", timeline.Query{AllTenants: true, From: at(2)}, []string{"n_3", "n_2"}},
		{"until", timeline.Query{AllTenants: true, Until: at(2)}, []string{"n_1", "n_0"}},
		{"from until", timeline.Query{AllTenants: true, From: at(1), Until: at(3)}, []string{"n_2", "n_1"}},
		{"from one second", timeline.Query{AllTenants: true, From: at(2).Add(time.Second)}, []string{"n_3"}},
		{"empty range", timeline.Query{AllTenants: true, From: at(1), Until: at(1)}, nil},
		{"another time zone", timeline.Query{AllTenants: true, From: at(2).In(time.FixedZone("", 7*3600))}, []string{"n_3", "n_2"}},
		{"several", timeline.Query{RecipientID: "u_2", Tenant: "shop", Settled: new(true), From: at(0)}, []string{"n_1"}},
		{"several that exclude each other", timeline.Query{AllTenants: true, RecipientID: "u_2", Settled: new(false)}, nil},
	} {
		page, err := s.List(t.Context(), tc.query)
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, ids(page.Entries), tc.name)
		require.Empty(t, page.Next, tc.name)
		for _, listed := range page.Entries {
			got, err := s.Get(t.Context(), listed.Status.NotificationID)
			require.NoError(t, err)
			require.Equal(t, got, listed, tc.name)
		}
	}
}

func ids(entries []timeline.Entry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.Status.NotificationID)
	}
	return list
}

// checkLateEvents: the place and the state of an entry follow its events.
func checkLateEvents(t *testing.T, s timeline.Store) {
	list := func(q timeline.Query) []string {
		page, err := s.List(t.Context(), q)
		require.NoError(t, err)
		return ids(page.Entries)
	}
	one, other := full("n_1", began), accepted("n_2", began.Add(time.Second))
	add(t, s, other.events...)
	add(t, s, one.events[13])
	require.Equal(t, []string{"n_1", "n_2"}, list(timeline.Query{AllTenants: true}))
	add(t, s, one.events[1:]...)
	require.Equal(t, []string{"n_2", "n_1"}, list(timeline.Query{AllTenants: true}))
	require.Equal(t, []string{"n_1"}, list(timeline.Query{AllTenants: true, Settled: new(true)}))
	add(t, s, one.events[0])
	require.Equal(t, []string{"n_2", "n_1"}, list(timeline.Query{AllTenants: true}))
	require.Equal(t, []string{"n_1"}, list(timeline.Query{AllTenants: true, States: []notify.State{notify.StateBounced}}))

	// Another clock says that it happened before Accepted, which counts.
	early := newHistory("n_1", began.Add(-time.Hour)).after(0, "opened", notify.Opened{}).events[0]
	early.ID = "n_1/early"
	add(t, s, early)
	require.Empty(t, list(timeline.Query{AllTenants: true, Until: began.Truncate(time.Microsecond)}))
}

// fill adds entries of which every three have one time.
func fill(t *testing.T, s timeline.Store, count int) []string {
	t.Helper()
	var newestFirst []string
	for i := range count {
		id := fmt.Sprintf("n_%03d", i)
		h := accepted(id, began.Add(time.Duration(i/3)*time.Microsecond))
		if i%2 == 0 {
			h = canceled(id, began.Add(time.Duration(i/3)*time.Microsecond))
		}
		add(t, s, h.events...)
		newestFirst = append(newestFirst, id)
	}
	slices.Reverse(newestFirst)
	return newestFirst
}

func checkPages(t *testing.T, s timeline.Store) {
	all := fill(t, s, 20)
	var even []string
	for _, id := range all {
		if (id[len(id)-1]-'0')%2 == 0 {
			even = append(even, id)
		}
	}
	for _, limit := range []int{1, 2, 3, 7, 10, 19, 20, 21, 500} {
		require.Equal(t, all, read(t, s, timeline.Query{AllTenants: true, Limit: limit}), "pages of %d", limit)
		require.Equal(t, even, read(t, s, timeline.Query{AllTenants: true, Limit: limit, Settled: new(true)}), "settled, pages of %d", limit)
	}
}

// read lists all pages, each of which but the last must be full.
func read(t *testing.T, s timeline.Store, q timeline.Query) []string {
	t.Helper()
	var list []string
	for {
		page, err := s.List(t.Context(), q)
		require.NoError(t, err)
		list = append(list, ids(page.Entries)...)
		if page.Next == "" {
			require.LessOrEqual(t, len(page.Entries), q.Limit)
			return list
		}
		require.Len(t, page.Entries, q.Limit)
		q.After = page.Next
	}
}

func checkPagesWhileAdding(t *testing.T, s timeline.Store) {
	all := fill(t, s, 10)
	first, err := s.List(t.Context(), timeline.Query{AllTenants: true, Limit: 4})
	require.NoError(t, err)
	add(t, s, accepted("newer", began.Add(time.Hour)).events...)
	add(t, s, accepted("older", began.Add(-time.Hour)).events...)
	rest, err := s.List(t.Context(), timeline.Query{AllTenants: true, Limit: 10, After: first.Next})
	require.NoError(t, err)
	require.Equal(t, append(all, "older"), append(ids(first.Entries), ids(rest.Entries)...))
}

func checkBadQueries(t *testing.T, s timeline.Store) {
	fill(t, s, 3)
	page, err := s.List(t.Context(), timeline.Query{AllTenants: true, Limit: 1})
	require.NoError(t, err)
	many := map[string]string{}
	for i := range 17 {
		many[fmt.Sprint(i)] = "x"
	}
	for field, queries := range map[string][]timeline.Query{
		"Query.AllTenants": {{AllTenants: true, Tenant: "shop"}},
		"Query.Limit":      {{Limit: -1}, {Limit: 501}},
		"Query.Until":      {{From: began, Until: began.Add(-time.Second)}},
		"Query.Labels": {
			{Labels: map[string]string{"": "a"}},
			{Labels: map[string]string{"a": strings.Repeat("b", 129)}},
			{Labels: map[string]string{strings.Repeat("b", 129): "a"}},
			{Labels: map[string]string{"a": "\xff"}},
			{Labels: many},
		},
		"Query.Channel": {{Channel: "\xff"}, {Channel: notify.Channel(strings.Repeat("b", 129))}},
		"Query.After":   {{After: "n_001"}, {After: page.Next[1:]}, {After: page.Next + "A"}, {After: "AAAAAAAAAAAAAAAAAAAA"}, {After: timeline.Position{At: time.UnixMicro(-1 << 60), ID: "n_1"}.Cursor()}},
	} {
		for _, q := range queries {
			_, err := s.List(t.Context(), q)
			found := notify.FieldErrors(err)
			require.Len(t, found, 1, "%+v", q)
			require.Equal(t, field, found[0].Field, "%+v", q)
		}
	}
	_, err = s.List(t.Context(), timeline.Query{AllTenants: true, Tenant: "shop", Limit: -1, After: "?"})
	require.Len(t, notify.FieldErrors(err), 3)
}

func checkDefaultLimit(t *testing.T, s timeline.Store) {
	all := fill(t, s, 51)
	page, err := s.List(t.Context(), timeline.Query{AllTenants: true})
	require.NoError(t, err)
	require.Equal(t, all[:50], ids(page.Entries))
	require.NotEmpty(t, page.Next)
}

func checkConcurrency(t *testing.T, s timeline.Store) {
	const writers, each = 8, 25
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range each {
				// Two writers write each notification, one of them backwards.
				events := full(fmt.Sprintf("n_%d_%d", w/2, i), began.Add(time.Duration(i)*time.Second)).events
				if w%2 == 1 {
					slices.Reverse(events)
				}
				for _, e := range events {
					if err := s.Add(t.Context(), e); err != nil {
						t.Errorf("Add: %v", err)
					}
				}
				if _, err := s.Get(t.Context(), events[0].NotificationID); err != nil {
					t.Errorf("Get: %v", err)
				}
				if _, err := s.List(t.Context(), timeline.Query{AllTenants: true, Limit: 5, Settled: new(true)}); err != nil {
					t.Errorf("List: %v", err)
				}
			}
		})
	}
	running.Wait()
	list := read(t, s, timeline.Query{AllTenants: true, Limit: 30})
	require.Len(t, list, writers/2*each)
	for _, id := range list {
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		want := timeline.NewEntry(full(id, got.Status.AcceptedAt).events...)
		require.Equal(t, want.Status, got.Status)
		require.ElementsMatch(t, want.Events, got.Events)
	}
}
