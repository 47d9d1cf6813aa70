package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/handlers/cost/costtest"
)

// forEver keeps what tests say happened long ago, or far ahead.
func forEver(c *postgres.Config) {
	c.CostsFor, c.CostSumsFor = 100*365*24*time.Hour, 100*365*24*time.Hour
}

func TestCosts(t *testing.T) {
	t.Parallel()
	costtest.TestStore(t, func(t *testing.T) cost.Store { return records(t, schema(t), forEver).Costs() })
}

// Whatever comes in whatever order, fails in between and comes from one process
// after the other: it is counted once.
func TestCostFaults(t *testing.T) {
	t.Parallel()
	costtest.TestFaults(t, func(t *testing.T) cost.Store { return records(t, schema(t), forEver).Costs() }, nil)
}

// Sums that an earlier version deleted, and did not note it, do not become less
// than nothing.
func TestCostSumsThatAreNoMore(t *testing.T) {
	t.Parallel()
	named := schema(t)
	s := records(t, named).Costs()
	e := spending("shop", 1, time.Now().UTC())
	_, err := s.Put(t.Context(), e)
	require.NoError(t, err)
	_, err = connect(t).Exec(t.Context(), "delete from "+schemaOf(named)+".cost_sum")
	require.NoError(t, err)
	for _, source := range []cost.Source{cost.ByReport, cost.ByHost} {
		e.Source, e.Cost.Micros = source, e.Cost.Micros-1
		_, err = s.Put(t.Context(), e)
		require.NoError(t, err)
	}
	page, err := s.Sums(t.Context(), cost.Query{Period: e.Month, AllTenants: true})
	require.NoError(t, err)
	require.Empty(t, page.Sums)
	e.Cost.Currency = "USD"
	_, err = s.Put(t.Context(), e)
	require.NoError(t, err)
	page, err = s.Sums(t.Context(), cost.Query{Period: e.Month, AllTenants: true})
	require.NoError(t, err)
	require.Equal(t, []cost.Sum{{Currency: "USD", Micros: 3, Count: cost.Count{Messages: 1}}}, page.Sums)
}

// A process whose clock is ahead does not end the month, nor the day, of the others.
func TestCostsOfAClockThatIsAhead(t *testing.T) {
	t.Parallel()
	process := records(t, schema(t), func(c *postgres.Config) { c.MaxCostSums = 6 })
	s := process.Costs()
	now := time.Now().UTC()
	_, err := s.Put(t.Context(), spending("shop", 1, now))
	require.NoError(t, err)
	ahead := spending("shop", 2, now.AddDate(0, 2, 0))
	ahead.Day = ""
	_, err = s.Put(t.Context(), ahead)
	require.NoError(t, err)
	s = process.Costs() // which looks
	_, err = s.Put(t.Context(), spending("another", 1, now))
	require.ErrorIs(t, err, notify.ErrOverloaded)
	require.EqualValues(t, 1, messages(t, s, now.Format("2006-01")))
	require.EqualValues(t, 1, messages(t, s, now.Format("2006-01-02")))
}

// When several processes find that there is too much, no more goes than has to.
func TestCostCapOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	for round := range 2 {
		named := schema(t)
		s := records(t, named, forEver).Costs()
		var last cost.Entry
		for month := range 4 {
			var entries []cost.Entry
			for n := range 100 {
				last = spending(fmt.Sprint("t-", n), month, time.Date(2020, time.Month(1+month), 1, 12, 0, 0, 0, time.UTC))
				last.Day = ""
				entries = append(entries, last)
			}
			_, err := s.Put(t.Context(), entries...)
			require.NoError(t, err)
		}
		var rows int
		require.NoError(t, connect(t).QueryRow(t.Context(), "select count(*) from "+schemaOf(named)+".cost_sum").Scan(&rows))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				s := records(t, named, forEver, func(c *postgres.Config) { c.MaxCosts, c.MaxCostSums = 350, rows }).Costs()
				if _, err := s.Put(t.Context(), last); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var entries int
		require.NoError(t, connect(t).QueryRow(t.Context(), "select count(*) from "+schemaOf(named)+".cost_entry").Scan(&entries))
		require.Equal(t, 350, entries)
		for month, want := range []int64{0, 100, 100, 100} {
			require.Equal(t, want, messages(t, s, fmt.Sprintf("2020-%02d", 1+month)), "round %d", round)
		}
	}
}

// Sums that went do not come back in part, whoever puts.
func TestCostCap(t *testing.T) {
	t.Parallel()
	var process *postgres.Store
	costtest.TestCap(t, func(t *testing.T, sums int) cost.Store {
		process = records(t, schema(t), func(c *postgres.Config) { forEver(c); c.MaxCostSums = sums })
		return process.Costs()
	}, func(*testing.T, cost.Store) cost.Store { return process.Costs() }) // which looks with its first Put
}

func spending(tenant string, n int, at time.Time) cost.Entry {
	id := fmt.Sprint(tenant, "-", n)
	return cost.Entry{
		ID: id, NotificationID: id, Group: cost.Group{Tenant: tenant, Channel: notify.SMSChannel},
		Month: at.Format("2006-01"), Day: at.Format("2006-01-02"), At: at,
		Count: cost.Count{Messages: 1}, Facts: 1, By: id, Cost: notify.Cost{Micros: 5, Currency: "EUR"}, Source: cost.ByBook, PricedAt: at,
	}
}

func messages(t *testing.T, s cost.Store, period string) (n int64) {
	t.Helper()
	page, err := s.Sums(t.Context(), cost.Query{Period: period, AllTenants: true})
	require.NoError(t, err)
	for _, sum := range page.Sums {
		n += sum.Messages
	}
	return n
}

// Several processes put the same entries at the same time: each counts once.
func TestCostsOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	named := schema(t)
	now := time.Now().UTC()
	var wg sync.WaitGroup
	for range 4 {
		s := records(t, named).Costs()
		for worker := range 2 {
			wg.Go(func() {
				for n := range 40 {
					e := spending(fmt.Sprint("t-", n%3), n, now)
					if worker == 1 { // what is known later
						e.Source, e.Cost.Micros, e.Facts = cost.ByReport, 7, 0
					}
					if _, err := s.Put(t.Context(), e, spending("both", n%5, now)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	page, err := records(t, named).Costs().Sums(t.Context(), cost.Query{Period: now.Format("2006-01"), AllTenants: true})
	require.NoError(t, err)
	require.Equal(t, []cost.Sum{{Currency: "EUR", Micros: 40*7 + 5*5, Count: cost.Count{Messages: 45}}}, page.Sums)
}

// Entries go by age and number, their sums stay, and what comes again later is
// neither counted twice nor taken for new.
func TestCostsAreForgotten(t *testing.T) {
	t.Parallel()
	s := records(t, schema(t), func(c *postgres.Config) { c.MaxCosts = 10 })
	now := time.Now().UTC().Truncate(time.Microsecond)
	old := spending("old", 1, now.AddDate(0, 0, -100))
	old.Day = ""
	entries := []cost.Entry{old}
	for n := range 25 {
		e := spending("shop", n, now.Add(time.Duration(n)*time.Second))
		e.Month, e.Day = now.Format("2006-01"), now.Format("2006-01-02")
		entries = append(entries, e)
	}
	put := func(to cost.Store) (tooOld int) {
		for _, e := range entries {
			n, err := to.Put(t.Context(), e)
			require.NoError(t, err)
			tooOld += n
		}
		return tooOld
	}
	require.Zero(t, put(s.Costs()))
	again := s.Costs() // which has not looked yet
	require.Equal(t, 16, put(again), "that of long ago, and 15 more")
	require.EqualValues(t, 25, messages(t, again, now.Format("2006-01")))
	require.EqualValues(t, 25, messages(t, again, now.Format("2006-01-02")))
	require.EqualValues(t, 1, messages(t, again, old.Month))
	for n := range 25 {
		found, err := again.Entries(t.Context(), fmt.Sprint("shop-", n))
		require.NoError(t, err)
		require.Equal(t, n >= 15, len(found) == 1, n)
	}

	report := entries[1] // of one that is forgotten
	report.At, report.Facts, report.Source = now.Add(time.Hour), 0, cost.ByReport
	for _, parts := range [][]cost.Entry{{report}, {report, entries[25]}} {
		tooOld, err := again.Put(t.Context(), parts...)
		require.NoError(t, err)
		require.Equal(t, 1, tooOld)
	}
	require.EqualValues(t, 25, messages(t, again, now.Format("2006-01")))
}

// Sums go when their period is over for long enough, and beyond their cap the
// oldest days, then months; then what is new is refused.
func TestCostSumsAreForgotten(t *testing.T) {
	t.Parallel()
	records := records(t, schema(t), func(c *postgres.Config) { c.MaxCostSums = 40 })
	s := records.Costs()
	now := time.Date(time.Now().Year(), time.Now().Month(), 1, 12, 0, 0, 0, time.UTC)
	put := func(e cost.Entry) error {
		_, err := s.Put(t.Context(), e)
		return err
	}
	old, quarter := now.AddDate(-3, 0, 0), now.AddDate(0, -5, 0)
	require.NoError(t, put(spending("old", 1, old)))
	require.NoError(t, put(spending("quarter", 1, quarter)))
	s = records.Costs() // which looks
	require.NoError(t, put(spending("now", 1, now)))
	require.Zero(t, messages(t, s, old.Format("2006-01")))
	require.Zero(t, messages(t, s, quarter.Format("2006-01-02")), "days go sooner")
	require.EqualValues(t, 1, messages(t, s, quarter.Format("2006-01")))
	var err error
	for n := 0; err == nil; n++ {
		err = put(spending(fmt.Sprint("t-", n), 1, now))
	}
	require.ErrorIs(t, err, notify.ErrOverloaded)
	s = records.Costs()
	require.NoError(t, put(spending("t-0", 1, now)), "known already")
	require.Zero(t, messages(t, s, quarter.Format("2006-01")))
	require.NoError(t, put(spending("another", 1, now)), "there is room")
}
