// Package suppressiontest checks a [suppression.Store] against its contract. It
// is imported by tests only.
package suppressiontest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// TestStore runs the suite. Each check opens a store of its own, which must be
// empty, keep at least 1,000 entries, and be released by t.Cleanup. The checks
// run in parallel; run them with the race detector.
func TestStore(t *testing.T, open func(t *testing.T) suppression.Store) {
	t.Helper()
	for _, check := range []struct {
		name string
		run  func(*testing.T, suppression.Store)
	}{
		{"an entry is found as it was set", checkFind},
		{"tenants and subjects are apart", checkApart},
		{"the latest in time stands, in any order", checkLatest},
		{"what is lifted is not found", checkLifted},
		{"pages hold each entry once, in order", checkPages},
		{"a list has what matches", checkQueries},
		{"what makes no sense is refused", checkBadInput},
		{"many goroutines may use it at once", checkConcurrency},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, open(t))
		})
	}
}

var began = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func entry(id string, minute int) suppression.Entry {
	return suppression.Entry{
		Key:    suppression.Key{Tenant: "shop", Channel: notify.EmailChannel, Subject: suppression.Subject{RecipientID: id}},
		Reason: suppression.Complaint, At: began.Add(time.Duration(minute) * time.Minute), EventID: fmt.Sprint("e-", minute),
	}
}

func set(t *testing.T, s suppression.Store, entries ...suppression.Entry) {
	t.Helper()
	for _, e := range entries {
		require.NoError(t, s.Set(t.Context(), e))
	}
}

func find(t *testing.T, s suppression.Store, tenant string, subjects ...suppression.Subject) []suppression.Entry {
	t.Helper()
	found, err := s.Find(t.Context(), tenant, subjects...)
	require.NoError(t, err)
	slices.SortFunc(found, func(a, b suppression.Entry) int { return a.Compare(b.Key) })
	return found
}

func checkFind(t *testing.T, s suppression.Store) {
	require.Empty(t, find(t, s, "shop", suppression.Subject{RecipientID: "ann"}))
	require.Empty(t, find(t, s, "shop"))
	byID := entry("ann", 1)
	byHash := byID
	byHash.Subject, byHash.Scope, byHash.Reason = suppression.Subject{AddressHash: "Zm9v"}, "newsletter", suppression.Unsubscribe
	text := byID
	text.Channel, text.Tenant, text.At, text.EventID = notify.SMSChannel, "shop", began.Add(123456*time.Microsecond), ""
	set(t, s, byID, byHash, text)
	require.Equal(t, []suppression.Entry{byID, text}, find(t, s, "shop", suppression.Subject{RecipientID: "ann"}))
	require.Equal(t, []suppression.Entry{byHash, byID, text}, find(t, s, "shop", byID.Subject, byHash.Subject, suppression.Subject{RecipientID: "bob"}))
}

func checkApart(t *testing.T, s suppression.Store) {
	mine, theirs, empty := entry("ann", 1), entry("ann", 2), entry("ann", 3)
	theirs.Tenant, empty.Tenant = "bank", ""
	hash := entry("", 4)
	hash.AddressHash = "ann"
	set(t, s, mine, theirs, empty, hash)
	for _, e := range []suppression.Entry{mine, theirs, empty} {
		require.Equal(t, []suppression.Entry{e}, find(t, s, e.Tenant, e.Subject))
	}
	require.Equal(t, []suppression.Entry{hash}, find(t, s, "shop", hash.Subject))
	require.Empty(t, find(t, s, "shop", suppression.Subject{RecipientID: "ANN"}))
}

func checkLatest(t *testing.T, s suppression.Store) {
	old, lift, again := entry("ann", 1), entry("ann", 2), entry("ann", 3)
	lift.Lifted, lift.Reason = true, suppression.ByHost
	again.Reason = suppression.Unsubscribe
	for number, order := range [][]suppression.Entry{{old, lift, again}, {again, lift, old}, {lift, again, old, lift}, {again, again, old, lift}} {
		for i, e := range order {
			e.Tenant = fmt.Sprint(number)
			order[i] = e
		}
		set(t, s, order...)
		found := find(t, s, order[0].Tenant, old.Subject)
		require.Len(t, found, 1)
		require.Equal(t, again.At, found[0].At)
		require.Equal(t, again.Reason, found[0].Reason)
	}
	// Of two at once, the one that is not lifted.
	for _, id := range []string{"bob", "eve"} {
		on, off := entry(id, 5), entry(id, 5)
		off.Lifted = true
		both := []suppression.Entry{on, off}
		if id == "eve" {
			slices.Reverse(both)
		}
		set(t, s, both...)
		require.Len(t, find(t, s, "shop", on.Subject), 1, id)
	}
}

func checkLifted(t *testing.T, s suppression.Store) {
	e, lift := entry("ann", 1), entry("ann", 2)
	lift.Lifted = true
	set(t, s, e, lift)
	require.Empty(t, find(t, s, "shop", e.Subject))
	set(t, s, e) // which comes again
	require.Empty(t, find(t, s, "shop", e.Subject))
	page, err := s.List(t.Context(), suppression.Query{AllTenants: true})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	// What was lifted before it came.
	early, late := entry("bob", 7), entry("bob", 6)
	early.Lifted = true
	set(t, s, early, late)
	require.Empty(t, find(t, s, "shop", late.Subject))
}

func checkConcurrency(t *testing.T, s suppression.Store) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := range 25 {
				e := entry(fmt.Sprint("u-", n%5), 100*worker+n)
				if err := s.Set(t.Context(), e); err != nil {
					t.Error(err)
				}
				if _, err := s.Find(t.Context(), "shop", e.Subject); err != nil {
					t.Error(err)
				}
				if _, err := s.List(t.Context(), suppression.Query{Tenant: "shop"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for n := range 5 {
		found := find(t, s, "shop", suppression.Subject{RecipientID: fmt.Sprint("u-", n)})
		require.Len(t, found, 1)
		require.Equal(t, entry("", 700+20+n).At, found[0].At)
	}
}
