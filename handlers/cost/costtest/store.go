// Package costtest checks a [cost.Store] against its contract. It is imported by
// tests only.
package costtest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// TestStore runs the suite. Each check opens a store of its own, which must be
// empty, keep at least 2,000 entries for ever and 4,000 cells, and be released by
// t.Cleanup. The checks run in parallel; run them with the race detector.
func TestStore(t *testing.T, open func(t *testing.T) cost.Store) {
	t.Helper()
	for _, check := range []struct {
		name string
		run  func(*testing.T, cost.Store)
	}{
		{"an entry is as it was put", checkEntries},
		{"entries are joined, and sums follow", checkJoin},
		{"any order and repetition gives the same", checkOrder},
		{"sums are of what matches", checkSums},
		{"pages hold each sum once, in order", checkPages},
		{"a put is all or nothing", checkAtomic},
		{"what makes no sense is refused", checkBadInput},
		{"many goroutines may use it at once", checkConcurrency},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, open(t))
		})
	}
}

var began = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// message is the nth message of a tenant, which costs n millionths.
func message(tenant string, n int) cost.Entry {
	id := fmt.Sprint(tenant, "-", n)
	at := began.Add(time.Duration(n) * time.Second)
	return cost.Entry{
		ID: id + "/1.1", NotificationID: id,
		Group: cost.Group{Tenant: tenant, Channel: notify.SMSChannel, Category: "codes", Provider: "twilio", Country: "DE", Event: "notify.sent.v1"},
		Month: "2026-03", Day: "2026-03-14", At: at, Count: cost.Count{Messages: 1, Segments: 2}, Facts: 1, By: id + "/1.1/sent",
		Cost: notify.Cost{Micros: int64(n), Currency: "EUR"}, Source: cost.ByBook, PricedAt: at, PricedBy: id + "/1.1/sent",
	}
}

func put(t *testing.T, s cost.Store, entries ...cost.Entry) {
	t.Helper()
	for _, e := range entries {
		tooOld, err := s.Put(t.Context(), e)
		require.NoError(t, err)
		require.Zero(t, tooOld)
	}
}

func sums(t *testing.T, s cost.Store, q cost.Query) []cost.Sum {
	t.Helper()
	page, err := s.Sums(t.Context(), q)
	require.NoError(t, err)
	require.Empty(t, page.Next)
	return page.Sums
}

func checkEntries(t *testing.T, s cost.Store) {
	none, err := s.Entries(t.Context(), "shop-1")
	require.NoError(t, err)
	require.Empty(t, none)
	first, second, other := message("shop", 1), message("shop", 1), message("shop", 2)
	second.ID, second.Channel, second.Country, second.Segments = "shop-1/2.1", notify.EmailChannel, "", 0
	second.Day, second.Cost, second.Source = "", notify.Cost{}, cost.Unpriced
	first.At = first.At.Add(123456 * time.Microsecond)
	other.PricedAt, other.PricedBy = time.Time{}, ""
	put(t, s, second, first, other)
	found, err := s.Entries(t.Context(), "shop-1")
	require.NoError(t, err)
	require.Equal(t, []cost.Entry{first, second}, found)
	found, err = s.Entries(t.Context(), "shop-2")
	require.NoError(t, err)
	require.Equal(t, []cost.Entry{other}, found)
	used := cost.Entry{
		ID: "observer/x", Group: cost.Group{Observer: "receipts", Event: "notify.sent.v1"}, Month: "2026-03", At: began,
		Count: cost.Count{Invocations: 3, Time: time.Second},
	}
	put(t, s, used)
	none, err = s.Entries(t.Context(), "")
	require.NoError(t, err)
	require.Empty(t, none, "observers' entries belong to no notification")
}

func checkJoin(t *testing.T, s cost.Store) {
	e := message("shop", 10)
	put(t, s, e, e)
	want := []cost.Sum{{Currency: "EUR", Micros: 10, Count: cost.Count{Messages: 1, Segments: 2}}}
	month, day := cost.Query{Period: "2026-03", Tenant: "shop"}, cost.Query{Period: "2026-03-14", AllTenants: true}
	require.Equal(t, want, sums(t, s, month))
	// A cost that is known later replaces the one before.
	later := e
	later.Facts, later.Segments, later.Source, later.Cost.Micros = 0, 0, cost.ByReport, 7
	later.PricedAt, later.PricedBy = e.At.Add(time.Hour), "report"
	put(t, s, later, e)
	want[0].Micros = 7
	require.Equal(t, want, sums(t, s, month))
	require.Equal(t, want, sums(t, s, day))
	found, err := s.Entries(t.Context(), e.NotificationID)
	require.NoError(t, err)
	require.Equal(t, []cost.Entry{later.Join(e)}, found)
	// In another currency it is another sum, and nothing is left of the first.
	dollars := later
	dollars.Source, dollars.Cost = cost.ByHost, notify.Cost{Micros: 9, Currency: "USD"}
	put(t, s, dollars)
	want[0].Micros, want[0].Currency = 9, "USD"
	require.Equal(t, want, sums(t, s, month))
	require.Equal(t, want, sums(t, s, day))
	// What is told of last may be what the message is about, and when.
	other := e
	other.Facts, other.Month, other.Day, other.Country = 2, "2026-04", "", "AT"
	put(t, s, other)
	require.Empty(t, sums(t, s, month))
	require.Empty(t, sums(t, s, day))
	month.Period, month.Country = "2026-04", "AT"
	require.Equal(t, want, sums(t, s, month))
}

func checkSums(t *testing.T, s cost.Store) {
	require.Empty(t, sums(t, s, cost.Query{Period: "2026-03", AllTenants: true}))
	mail := message("shop", 5)
	mail.Channel, mail.Provider, mail.Country, mail.Category, mail.Segments = notify.EmailChannel, "ses", "", "", 0
	mail.Cost.Currency = "USD"
	free := message("bank", 3)
	free.Cost, free.Source = notify.Cost{}, cost.Unpriced
	nobody := message("", 2)
	april := message("shop", 6)
	april.Month, april.Day = "2026-04", "2026-04-01"
	used := cost.Entry{
		ID: "observer/x", Group: cost.Group{Observer: "receipts", Event: "notify.delivered.v1"}, Month: "2026-03", At: began,
		Count: cost.Count{Invocations: 3, Time: time.Second}, Cost: notify.Cost{Micros: 40, Currency: "EUR"}, Source: cost.ByBook,
	}
	put(t, s, message("shop", 1), message("shop", 4), mail, free, nobody, april, used)
	sms := func(n int64, micros int64) cost.Sum {
		return cost.Sum{Currency: "EUR", Micros: micros, Count: cost.Count{Messages: n, Segments: 2 * n}}
	}
	unpriced := cost.Sum{Count: cost.Count{Messages: 1, Segments: 2}}
	mails := cost.Sum{Currency: "USD", Micros: 5, Count: cost.Count{Messages: 1}}
	called := cost.Sum{Currency: "EUR", Micros: 40, Count: cost.Count{Invocations: 3, Time: time.Second}}
	all := sms(3, 7)
	all.Micros, all.Invocations, all.Time = 47, 3, time.Second
	by := func(value string, of cost.Sum) cost.Sum {
		of.Value = value
		return of
	}
	ofNobody := sms(1, 2)
	ofNobody.Micros, ofNobody.Invocations, ofNobody.Time = 42, 3, time.Second
	for _, tc := range []struct {
		name  string
		query cost.Query
		want  []cost.Sum
	}{
		{"all", cost.Query{AllTenants: true}, []cost.Sum{unpriced, all, mails}},
		{"a tenant", cost.Query{Tenant: "shop"}, []cost.Sum{sms(2, 5), mails}},
		{"one without a price", cost.Query{Tenant: "bank"}, []cost.Sum{unpriced}},
		{"nobody", cost.Query{Tenant: "none"}, nil},
		{"the empty tenant", cost.Query{}, []cost.Sum{ofNobody}},
		{"a channel", cost.Query{AllTenants: true, Channel: notify.SMSChannel}, []cost.Sum{unpriced, sms(3, 7)}},
		{"a tenant's channel", cost.Query{Tenant: "shop", Channel: notify.SMSChannel}, []cost.Sum{sms(2, 5)}},
		{"a category", cost.Query{Tenant: "shop", Category: "codes"}, []cost.Sum{sms(2, 5)}},
		{"a provider", cost.Query{AllTenants: true, Provider: "ses"}, []cost.Sum{mails}},
		{"a country", cost.Query{AllTenants: true, Country: "DE"}, []cost.Sum{unpriced, sms(3, 7)}},
		{"an observer", cost.Query{AllTenants: true, Observer: "receipts"}, []cost.Sum{called}},
		{"an event", cost.Query{AllTenants: true, Event: "notify.sent.v1"}, []cost.Sum{unpriced, sms(3, 7), mails}},
		{"by tenant", cost.Query{AllTenants: true, By: cost.ByTenant}, []cost.Sum{by("", ofNobody), by("bank", unpriced), by("shop", sms(2, 5)), by("shop", mails)}},
		{"by channel", cost.Query{AllTenants: true, By: cost.ByChannel}, []cost.Sum{by("", called), by("email", mails), by("sms", unpriced), by("sms", sms(3, 7))}},
		{"by category", cost.Query{Tenant: "shop", By: cost.ByCategory}, []cost.Sum{by("", mails), by("codes", sms(2, 5))}},
		{"by provider", cost.Query{Tenant: "shop", By: cost.ByProvider}, []cost.Sum{by("ses", mails), by("twilio", sms(2, 5))}},
		{"by country", cost.Query{Tenant: "shop", By: cost.ByCountry}, []cost.Sum{by("", mails), by("DE", sms(2, 5))}},
		{"by observer", cost.Query{By: cost.ByObserver}, []cost.Sum{by("", sms(1, 2)), by("receipts", called)}},
		{"by event", cost.Query{By: cost.ByEvent}, []cost.Sum{by("notify.delivered.v1", called), by("notify.sent.v1", sms(1, 2))}},
		{"a day", cost.Query{Period: "2026-03-14", Tenant: "shop"}, []cost.Sum{sms(2, 5), mails}},
		{"another month", cost.Query{Period: "2026-04", Tenant: "shop"}, []cost.Sum{sms(1, 6)}},
		{"another day", cost.Query{Period: "2026-03-15", AllTenants: true}, nil},
	} {
		if tc.query.Period == "" {
			tc.query.Period = "2026-03"
		}
		require.Equal(t, tc.want, sums(t, s, tc.query), tc.name)
	}
}

func checkPages(t *testing.T, s cost.Store) {
	var want []cost.Position
	for n := range 60 {
		e := message(fmt.Sprintf("t-%02d ü|/", n/2), n)
		e.Cost.Currency = []string{"EUR", "USD"}[n%2]
		put(t, s, e)
		want = append(want, cost.Position{Value: e.Tenant, Currency: e.Cost.Currency})
	}
	for _, limit := range []int{0, 1, 7, len(want)} {
		var got []cost.Position
		q := cost.Query{Period: "2026-03", AllTenants: true, By: cost.ByTenant, Limit: limit}
		for {
			page, err := s.Sums(t.Context(), q)
			require.NoError(t, err)
			for _, sum := range page.Sums {
				got = append(got, sum.Position())
			}
			if page.Next == "" {
				break
			}
			require.Len(t, page.Sums, limit)
			q.After = page.Next
		}
		require.Equal(t, want, got, "limit %d", limit)
	}
}

func checkAtomic(t *testing.T, s cost.Store) {
	good := message("shop", 1)
	put(t, s, good)
	before := sums(t, s, cost.Query{Period: "2026-03", AllTenants: true, Event: "notify.sent.v1"})
	changed := good
	changed.Source, changed.Cost.Micros = cost.ByHost, 99
	var err error
	for n := 0; n < 70 && err == nil; n++ { // until the sum has more than an int64 holds, or before
		huge := cost.Entry{
			ID: fmt.Sprint("observer/huge-", n), Group: cost.Group{Observer: "huge"}, Month: "2026-03", At: began, Facts: 1,
			Count: cost.Count{Invocations: 1 << 58, Time: 1},
		}
		if _, err = s.Put(t.Context(), huge); err != nil {
			require.Positive(t, n)
			_, err = s.Put(t.Context(), message("shop", 2), changed, huge)
		}
	}
	require.ErrorIs(t, err, cost.ErrOverflow)
	require.Equal(t, before, sums(t, s, cost.Query{Period: "2026-03", AllTenants: true, Event: "notify.sent.v1"}))
	found, err := s.Entries(t.Context(), good.NotificationID)
	require.NoError(t, err)
	require.Equal(t, []cost.Entry{good}, found)
	found, err = s.Entries(t.Context(), "shop-2")
	require.NoError(t, err)
	require.Empty(t, found)
	put(t, s, message("shop", 2), changed)
}

func checkBadInput(t *testing.T, s cost.Store) {
	for field, change := range map[string]func(*cost.Entry){
		"Entry.ID":             func(e *cost.Entry) { e.ID = "" },
		"Entry.NotificationID": func(e *cost.Entry) { e.NotificationID = "" },
		"Entry.Month":          func(e *cost.Entry) { e.Month = "2026-13" },
		"Entry.Day":            func(e *cost.Entry) { e.Day = "2026-03" },
		"Entry.At":             func(e *cost.Entry) { e.At = time.Time{} },
		"Entry.Count":          func(e *cost.Entry) { e.Segments = 1 << 59 },
		"Entry.Source":         func(e *cost.Entry) { e.Source = 9 },
		"Entry.Cost.Micros":    func(e *cost.Entry) { e.Cost.Micros = -1 },
		"Entry.Cost.Currency":  func(e *cost.Entry) { e.Cost.Currency = "eur" },
	} {
		e := message("shop", 1)
		change(&e)
		_, err := s.Put(t.Context(), message("shop", 2), e)
		fields := notify.FieldErrors(err)
		require.Len(t, fields, 1, field)
		require.Equal(t, field, fields[0].Field)
	}
	for field, q := range map[string]cost.Query{
		"Query.Period":     {},
		"Query.AllTenants": {Period: "2026-03", AllTenants: true, Tenant: "shop"},
		"Query.By":         {Period: "2026-03", By: "colour"},
		"Query.Limit":      {Period: "2026-03", Limit: 1001},
		"Query.After":      {Period: "2026-03", After: "bm90aGluZw"},
	} {
		_, err := s.Sums(t.Context(), q)
		fields := notify.FieldErrors(err)
		require.Len(t, fields, 1, field)
		require.Equal(t, field, fields[0].Field)
	}
	_, err := s.Sums(t.Context(), cost.Query{Period: "2026-03", By: cost.ByTenant})
	require.Len(t, notify.FieldErrors(err), 1)
	require.Empty(t, sums(t, s, cost.Query{Period: "2026-03", AllTenants: true}))
}

func checkConcurrency(t *testing.T, s cost.Store) {
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := range 25 {
				// Each message comes from two workers.
				if _, err := s.Put(t.Context(), message("shop", 100*(worker/2)+n)); err != nil {
					t.Error(err)
				}
				if _, err := s.Sums(t.Context(), cost.Query{Period: "2026-03", Tenant: "shop"}); err != nil {
					t.Error(err)
				}
				if _, err := s.Entries(t.Context(), "shop-7"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var micros int64
	for worker := range 4 {
		for n := range 25 {
			micros += int64(100*worker + n)
		}
	}
	want := []cost.Sum{{Currency: "EUR", Micros: micros, Count: cost.Count{Messages: 100, Segments: 200}}}
	require.Equal(t, want, sums(t, s, cost.Query{Period: "2026-03", Tenant: "shop"}))
	require.Equal(t, want, sums(t, s, cost.Query{Period: "2026-03-14", AllTenants: true}))
}
