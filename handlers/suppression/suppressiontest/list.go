package suppressiontest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// pages reads a list to its end.
func pages(t *testing.T, s suppression.Store, q suppression.Query) (all []suppression.Entry) {
	t.Helper()
	for {
		page, err := s.List(t.Context(), q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Entries), max(q.Limit, 100))
		all = append(all, page.Entries...)
		if page.Next == "" {
			return all
		}
		require.NotEmpty(t, page.Entries)
		q.After = page.Next
	}
}

func checkPages(t *testing.T, s suppression.Store) {
	var want []suppression.Entry
	for n := range 60 {
		e := entry(fmt.Sprint("u-", n/4), n)
		e.Tenant = []string{"", "bank", "shop"}[n%3]
		e.Channel = []notify.Channel{notify.EmailChannel, notify.SMSChannel}[n%2]
		e.Scope = []string{"", "news", "a|b/ü"}[n%3]
		if n%5 == 0 {
			e.Subject = suppression.Subject{AddressHash: fmt.Sprint("h-", n)}
		}
		want = append(want, e)
	}
	set(t, s, want...)
	slices.SortFunc(want, func(a, b suppression.Entry) int { return a.Compare(b.Key) })
	want = slices.CompactFunc(want, func(a, b suppression.Entry) bool { return a.Key == b.Key })
	for _, limit := range []int{0, 1, 7, len(want)} {
		got := pages(t, s, suppression.Query{AllTenants: true, Limit: limit})
		require.Len(t, got, len(want), "limit %d", limit)
		for i := range want {
			require.Equal(t, want[i].Key, got[i].Key, "limit %d", limit)
		}
	}
	// What comes and goes meanwhile moves nothing else.
	first, err := s.List(t.Context(), suppression.Query{AllTenants: true, Limit: 10})
	require.NoError(t, err)
	gone := first.Entries[9]
	gone.Lifted, gone.At = true, gone.At.Add(time.Hour)
	set(t, s, gone)
	rest := pages(t, s, suppression.Query{AllTenants: true, Limit: 10, After: first.Next})
	require.Equal(t, want[10].Key, rest[0].Key)
	require.Len(t, rest, len(want)-10)
}

func checkQueries(t *testing.T, s suppression.Store) {
	mine, text, theirs, empty := entry("ann", 1), entry("ann", 2), entry("bob", 3), entry("bob", 4)
	text.Channel, theirs.Tenant, empty.Tenant = notify.SMSChannel, "bank", ""
	set(t, s, mine, text, theirs, empty)
	for _, tc := range []struct {
		query suppression.Query
		want  []suppression.Entry
	}{
		{suppression.Query{}, []suppression.Entry{empty}},
		{suppression.Query{Tenant: "shop"}, []suppression.Entry{mine, text}},
		{suppression.Query{AllTenants: true}, []suppression.Entry{empty, theirs, mine, text}},
		{suppression.Query{Tenant: "shop", Channel: notify.SMSChannel}, []suppression.Entry{text}},
		{suppression.Query{AllTenants: true, RecipientID: "bob"}, []suppression.Entry{empty, theirs}},
		{suppression.Query{Tenant: "nobody"}, nil},
	} {
		require.Equal(t, tc.want, pages(t, s, tc.query), "%+v", tc.query)
	}
}

func checkBadInput(t *testing.T, s suppression.Store) {
	for field, change := range map[string]func(*suppression.Entry){
		"Key.Channel":  func(e *suppression.Entry) { e.Channel = "" },
		"Key.Subject":  func(e *suppression.Entry) { e.AddressHash = "Zm9v" },
		"Entry.Reason": func(e *suppression.Entry) { e.Reason = "" },
		"Entry.At":     func(e *suppression.Entry) { e.At = time.Time{} },
	} {
		e := entry("ann", 1)
		change(&e)
		fields := notify.FieldErrors(s.Set(t.Context(), e))
		require.Len(t, fields, 1, field)
		require.Equal(t, field, fields[0].Field)
	}
	for field, q := range map[string]suppression.Query{
		"Query.Limit":      {Limit: 1001},
		"Query.After":      {After: "bm90aGluZw"},
		"Query.AllTenants": {AllTenants: true, Tenant: "shop"},
	} {
		_, err := s.List(t.Context(), q)
		fields := notify.FieldErrors(err)
		require.Len(t, fields, 1, field)
		require.Equal(t, field, fields[0].Field)
	}
	require.Empty(t, pages(t, s, suppression.Query{AllTenants: true}))
}
