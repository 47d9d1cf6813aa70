package cost_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/handlers/cost/costtest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	costtest.TestStore(t, func(*testing.T) cost.Store { return cost.NewMemory() })
}

func TestMemoryCap(t *testing.T) {
	t.Parallel()
	costtest.TestCap(t, func(_ *testing.T, sums int) cost.Store {
		return cost.NewMemory(func(c *cost.MemoryConfig) { c.Cells = sums })
	}, nil)
}

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// spending is a message that was sent on some day.
func spending(tenant string, n int, at time.Time) cost.Entry {
	id := fmt.Sprint(tenant, "-", n)
	return cost.Entry{
		ID: id, NotificationID: id, Group: cost.Group{Tenant: tenant, Channel: notify.SMSChannel}, Month: at.Format("2006-01"), At: at,
		Count: cost.Count{Messages: 1}, Facts: 1, By: id, Cost: notify.Cost{Micros: 5, Currency: "EUR"}, Source: cost.ByBook, PricedAt: at,
	}
}

func count(t *testing.T, s cost.Store, q cost.Query) (messages int64) {
	t.Helper()
	page, err := s.Sums(t.Context(), q)
	require.NoError(t, err)
	for _, sum := range page.Sums {
		messages += sum.Messages
	}
	return messages
}

// Entries beyond the cap are forgotten, the oldest first: sums stay as they are,
// and what comes again counts neither twice nor as new.
func TestMemoryForgetsEntries(t *testing.T) {
	t.Parallel()
	m := cost.NewMemory(func(c *cost.MemoryConfig) { c.Entries = 10 })
	for n := range 25 {
		_, err := m.Put(t.Context(), spending("shop", n, start.Add(time.Duration(n)*time.Minute)))
		require.NoError(t, err)
	}
	all := cost.Query{Period: "2026-03", AllTenants: true}
	require.EqualValues(t, 25, count(t, m, all))
	for n := range 25 {
		tooOld, err := m.Put(t.Context(), spending("shop", n, start.Add(time.Duration(n)*time.Minute)))
		require.NoError(t, err)
		require.Equal(t, n < 15, tooOld == 1, n)
		found, err := m.Entries(t.Context(), fmt.Sprint("shop-", n))
		require.NoError(t, err)
		require.Equal(t, n >= 15, len(found) == 1, n)
	}
	require.EqualValues(t, 25, count(t, m, all))
	tooOld, err := m.Put(t.Context(), spending("late", 1, start), spending("shop", 30, start.Add(time.Hour)))
	require.NoError(t, err)
	require.Equal(t, 1, tooOld)
	require.EqualValues(t, 26, count(t, m, all))

	report := spending("shop", 3, start.Add(2*time.Hour)) // of one that is forgotten
	report.Facts, report.Source = 0, cost.ByReport
	tooOld, err = m.Put(t.Context(), report)
	require.NoError(t, err)
	require.Equal(t, 1, tooOld)
	require.EqualValues(t, 26, count(t, m, all))
}

// An entry that grows moves to the end of what is forgotten, and what is kept of
// the order stays bounded.
func TestMemoryKeepsWhatGrows(t *testing.T) {
	t.Parallel()
	m := cost.NewMemory(func(c *cost.MemoryConfig) { c.Entries = 10 })
	for n := range 1000 {
		at := start.Add(time.Duration(n) * time.Second)
		used := cost.Entry{
			ID: "observer", Group: cost.Group{Observer: "o"}, Month: "2026-03", At: at, Count: cost.Count{Invocations: int64(n + 1)}, Facts: int64(n),
		}
		_, err := m.Put(t.Context(), used, spending("shop", n, at))
		require.NoError(t, err)
	}
	page, err := m.Sums(t.Context(), cost.Query{Period: "2026-03", AllTenants: true, Observer: "o"})
	require.NoError(t, err)
	require.EqualValues(t, 1000, page.Sums[0].Invocations)
	require.LessOrEqual(t, cost.AgesOf(m), 2*10+65)
}

// Sums beyond the cap go by whole periods, days before months, and never the
// latest of either: then what is new is refused.
func TestMemoryDropsPeriods(t *testing.T) {
	t.Parallel()
	start := start.AddDate(-6, 0, 0)
	m := cost.NewMemory(func(c *cost.MemoryConfig) { c.Cells = 100 })
	put := func(e cost.Entry) error {
		_, err := m.Put(t.Context(), e)
		return err
	}
	for n := range 20 { // 21 cells to a month, and as many to a day
		for month := range 2 {
			e := spending(fmt.Sprint("t-", n), month, start.AddDate(0, month, 0))
			e.Day = e.At.Format("2006-01-02")
			require.NoError(t, put(e))
		}
	}
	require.EqualValues(t, 20, count(t, m, cost.Query{Period: "2020-03-01", AllTenants: true}))
	for n := range 20 {
		require.NoError(t, put(spending(fmt.Sprint("t-", n), 2, start.AddDate(0, 2, 0))))
	}
	require.Zero(t, count(t, m, cost.Query{Period: "2020-03-01", AllTenants: true}), "the oldest day went")
	require.EqualValues(t, 20, count(t, m, cost.Query{Period: "2020-03", AllTenants: true}))
	for n := range 50 {
		require.NoError(t, put(spending(fmt.Sprint("u-", n), 2, start.AddDate(0, 2, 0))))
	}
	require.Zero(t, count(t, m, cost.Query{Period: "2020-04", AllTenants: true}))
	require.EqualValues(t, 70, count(t, m, cost.Query{Period: "2020-05", AllTenants: true}))
	require.NoError(t, put(spending("t-1", 9, start.AddDate(0, 1, 0))), "of a month that went")
	for n := range 8 { // 79 of the month, and 21 of the latest day
		require.NoError(t, put(spending(fmt.Sprint("v-", n), 2, start.AddDate(0, 2, 0))))
	}
	err := put(spending("one-more", 2, start.AddDate(0, 2, 0)))
	require.ErrorIs(t, err, notify.ErrOverloaded)
	require.NoError(t, put(spending("t-1", 10, start.AddDate(0, 2, 0))), "known already")
	require.EqualValues(t, 79, count(t, m, cost.Query{Period: "2020-05", AllTenants: true}))
}

// A process whose clock is ahead does not end the month of the others.
func TestMemoryOfAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	m := cost.NewMemory(func(c *cost.MemoryConfig) { c.Cells = 4 })
	now := time.Now().UTC()
	for n, at := range []time.Time{now, now.AddDate(0, 2, 0)} {
		_, err := m.Put(t.Context(), spending("shop", n, at))
		require.NoError(t, err)
	}
	_, err := m.Put(t.Context(), spending("another", 1, now.AddDate(0, 2, 0)))
	require.ErrorIs(t, err, notify.ErrOverloaded)
	require.EqualValues(t, 1, count(t, m, cost.Query{Period: now.Format("2006-01"), AllTenants: true}))
}

// A hundred thousand tenants have a sum each, and the whole is there at once.
func TestManyTenants(t *testing.T) {
	t.Parallel()
	const tenants = 100_000
	m := cost.NewMemory(func(c *cost.MemoryConfig) { c.Entries = 1000 })
	for n := range tenants {
		_, err := m.Put(t.Context(), spending(fmt.Sprintf("t-%06d", n), 1, start.Add(time.Duration(n)*time.Second)))
		require.NoError(t, err)
	}
	require.EqualValues(t, tenants, count(t, m, cost.Query{Period: "2026-03", AllTenants: true}))
	require.EqualValues(t, 1, count(t, m, cost.Query{Period: "2026-03", Tenant: "t-099999"}))
	page, err := m.Sums(t.Context(), cost.Query{Period: "2026-03", AllTenants: true, By: cost.ByTenant, Limit: 1000, After: cost.Position{Value: "t-049999", Currency: "EUR"}.Cursor()})
	require.NoError(t, err)
	require.Len(t, page.Sums, 1000)
	require.Equal(t, "t-050000", page.Sums[0].Value)
}

// Whatever comes in whatever order, and fails in between: it is counted once.
func TestMemoryFaults(t *testing.T) {
	t.Parallel()
	costtest.TestFaults(t, func(*testing.T) cost.Store { return cost.NewMemory() }, nil)
}
