package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/handlers/cost/costtest"
	"github.com/seed-6c01d079/notify/notifytest"
)

// forEver keeps what tests say happened long ago, or far ahead.
func forEver(c *sqlite.Config) {
	c.CostsFor, c.CostSumsFor = 100*365*24*time.Hour, 100*365*24*time.Hour
}

func TestCosts(t *testing.T) {
	t.Parallel()
	costtest.TestStore(t, func(t *testing.T) cost.Store { return open(t, path(t), forEver).Costs() })
}

// costsOf is a store, with the file that it is in.
type costsOf struct {
	cost.Store
	backend *sqlite.Backend
	file    string
}

// Whatever comes in whatever order, fails in between and is opened again: it is
// counted once.
func TestCostFaults(t *testing.T) {
	t.Parallel()
	costtest.TestFaults(t, func(t *testing.T) cost.Store {
		file := path(t)
		b := open(t, file, forEver)
		return &costsOf{b.Costs(), b, file}
	}, func(t *testing.T, s cost.Store) cost.Store {
		before := s.(*costsOf)
		require.NoError(t, before.backend.Close())
		b := open(t, before.file, forEver)
		return &costsOf{b.Costs(), b, before.file}
	})
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

// Entries go by age and number, their sums stay, and what comes again later is
// neither counted twice nor taken for new, also after a restart.
func TestCostsAreForgotten(t *testing.T) {
	t.Parallel()
	file := path(t)
	few := func(c *sqlite.Config) { c.MaxCosts = 10 }
	b := open(t, file, few)
	now := time.Now().UTC().Truncate(time.Microsecond)
	old := spending("old", 1, now.AddDate(0, 0, -100))
	old.Day = ""
	entries := []cost.Entry{old}
	for n := range 25 {
		e := spending("shop", n, now.Add(time.Duration(n)*time.Second))
		e.Month, e.Day = now.Format("2006-01"), now.Format("2006-01-02")
		entries = append(entries, e)
	}
	put := func(b *sqlite.Backend) (tooOld int) {
		for _, e := range entries {
			n, err := b.Costs().Put(t.Context(), e)
			require.NoError(t, err)
			tooOld += n
		}
		return tooOld
	}
	require.Zero(t, put(b))
	require.NoError(t, sqlite.Sweep(b, time.Now()))
	check := func(b *sqlite.Backend) {
		t.Helper()
		require.Equal(t, 16, put(b), "that of long ago, and 15 more")
		require.EqualValues(t, 25, messages(t, b.Costs(), now.Format("2006-01")))
		require.EqualValues(t, 25, messages(t, b.Costs(), now.Format("2006-01-02")))
		require.EqualValues(t, 1, messages(t, b.Costs(), old.Month))
		for n := range 25 {
			found, err := b.Costs().Entries(t.Context(), fmt.Sprint("shop-", n))
			require.NoError(t, err)
			require.Equal(t, n >= 15, len(found) == 1, n)
		}
	}
	check(b)
	require.NoError(t, b.Close())
	b = open(t, file, few)
	check(b)

	report := entries[1] // of one that is forgotten
	report.At, report.Facts, report.Source = now.Add(time.Hour), 0, cost.ByReport
	tooOld, err := b.Costs().Put(t.Context(), report)
	require.NoError(t, err)
	require.Equal(t, 1, tooOld)
	check(b)
}

// Sums go when their period is over for long enough, and beyond their cap the
// oldest days, then months.
func TestCostSumsAreForgotten(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.MaxCostSums = 41 })
	s := b.Costs()
	now := time.Date(time.Now().Year(), time.Now().Month(), 1, 12, 0, 0, 0, time.UTC)
	put := func(e cost.Entry) error {
		_, err := s.Put(t.Context(), e)
		return err
	}
	old, quarter := now.AddDate(-3, 0, 0), now.AddDate(0, -5, 0)
	require.NoError(t, put(spending("old", 1, old)))
	require.NoError(t, put(spending("quarter", 1, quarter)))
	require.NoError(t, put(spending("now", 1, now)))
	require.NoError(t, sqlite.Sweep(b, time.Now()))
	require.Zero(t, messages(t, s, old.Format("2006-01")))
	require.Zero(t, messages(t, s, quarter.Format("2006-01-02")), "days go sooner")
	require.EqualValues(t, 1, messages(t, s, quarter.Format("2006-01")))
	require.EqualValues(t, 1, messages(t, s, now.Format("2006-01")))

	var err error
	n := 0
	for ; err == nil; n++ {
		err = put(spending(fmt.Sprint("t-", n), 1, now))
	}
	require.ErrorIs(t, err, notify.ErrOverloaded)
	require.NoError(t, put(spending("t-0", 2, now)), "known already")
	require.NoError(t, sqlite.Sweep(b, time.Now()))
	require.Zero(t, messages(t, s, quarter.Format("2006-01")))
	require.NoError(t, put(spending(fmt.Sprint("t-", n-1), 1, now)), "there is room")
	require.EqualValues(t, n+2, messages(t, s, now.Format("2006-01")))
}

// A disk that fails tells, and takes nothing back: what is put again then is
// counted once.
func TestCostsOnADiskThatFails(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			d := newDisk(t, file)
			b := d.open(file, 40, quiet)
			now := time.Now().UTC()
			for n := range 30 {
				if n == 10 {
					d.failing(func(kind, _ string) int32 {
						if kind == fault.kind {
							return fault.code
						}
						return 0
					})
				}
				_, _ = b.Costs().Put(t.Context(), spending("shop", n, now))
				if n == 20 {
					d.failing(nil)
				}
			}
			for n := range 30 {
				_, err := b.Costs().Put(t.Context(), spending("shop", n, now))
				require.NoError(t, err)
			}
			require.EqualValues(t, 30, messages(t, b.Costs(), now.Format("2006-01")))
			require.NoError(t, b.Close())
			require.EqualValues(t, 30, messages(t, open(t, file).Costs(), now.Format("2006-01")))
		})
	}
}

// A file of the first schema is brought to the newest, with what is in it.
func TestAFileOfTheFirstSchema(t *testing.T) {
	t.Parallel()
	file := path(t)
	schema, err := os.ReadFile("schema/1.sql")
	require.NoError(t, err)
	query(t, file, string(schema)+";PRAGMA application_id = 0x6e6f7466; PRAGMA user_version = 1; INSERT INTO records VALUES ('r', 1, NULL, NULL, x'00')")
	b := open(t, file)
	_, err = b.Costs().Put(t.Context(), spending("shop", 1, time.Now().UTC()))
	require.NoError(t, err)
	r, err := b.Load(t.Context(), "r")
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Revision)
}

// A hundred thousand tenants have a sum each, which is found at once.
func TestCostsOfManyTenants(t *testing.T) {
	t.Parallel()
	s := open(t, path(t)).Costs()
	now := time.Now().UTC()
	many := 100_000
	if raced {
		many = 10_000 // SQLite in Go is twenty times slower then, and nothing here is concurrent
	}
	var entries []cost.Entry
	for n := range many {
		e := spending(fmt.Sprintf("t-%06d", n), 1, now)
		e.Day = ""
		if entries = append(entries, e); len(entries) == 1000 {
			_, err := s.Put(t.Context(), entries...)
			require.NoError(t, err)
			entries = entries[:0]
		}
	}
	month := now.Format("2006-01")
	require.EqualValues(t, many, messages(t, s, month))
	page, err := s.Sums(t.Context(), cost.Query{Period: month, Tenant: fmt.Sprintf("t-%06d", many-1)})
	require.NoError(t, err)
	require.EqualValues(t, 1, page.Sums[0].Messages)
	page, err = s.Sums(t.Context(), cost.Query{
		Period: month, AllTenants: true, By: cost.ByTenant, Limit: 1000, After: cost.Position{Value: fmt.Sprintf("t-%06d", many/2-1), Currency: "EUR"}.Cursor(),
	})
	require.NoError(t, err)
	require.Len(t, page.Sums, 1000)
	require.Equal(t, fmt.Sprintf("t-%06d", many/2), page.Sums[0].Value)
}

// Backend, records and costs are one file: what was spent before a restart counts
// after it, in the sums and in the budget, and a replay adds nothing.
func TestTheCostsOfARunningNotifier(t *testing.T) {
	t.Parallel()
	file := path(t)
	prices := cost.Book{Currency: "EUR", Messages: []cost.MessagePrice{{Channel: notify.EmailChannel, PerMessage: 10 * cost.Micro}}}
	month := time.Now().UTC().Format("2006-01")
	for life, want := range []struct{ sent, dropped int64 }{{3, 0}, {2, 1}} {
		back := sqlite.Open(file)
		n, err := notify.New(notify.Config{Backend: back})
		require.NoError(t, err)
		notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
		ledger := cost.New(back.Costs(), prices, func(c *cost.Config) {
			c.Budgets = []cost.Budget{{Limit: notify.Cost{Micros: 50, Currency: "EUR"}}}
		})
		n.Attach(ledger)
		ended := make(chan error, 1)
		go func() { ended <- n.Run(context.Background()) }()
		require.NoError(t, n.Ready(t.Context()))
		states := map[notify.State]int64{}
		for range 3 {
			id, err := n.Send(t.Context(), toAnna(""))
			require.NoError(t, err)
			states[settles(t, n, id).State]++
			require.NoError(t, n.Handled(t.Context(), id, "cost"))
		}
		require.Equal(t, want.sent, states[notify.StateSent], "life %d", life)
		require.Equal(t, want.dropped, states[notify.StateSuppressed], "life %d", life)
		require.NoError(t, n.Replay(t.Context(), "cost", time.Time{}))
		require.NoError(t, n.Close(t.Context()))
		require.NoError(t, <-ended)
	}
	s := open(t, file).Costs()
	page, err := s.Sums(t.Context(), cost.Query{Period: month, AllTenants: true, Channel: notify.EmailChannel})
	require.NoError(t, err)
	require.Equal(t, []cost.Sum{{Currency: "EUR", Micros: 50, Count: cost.Count{Messages: 5}}}, page.Sums)
	page, err = s.Sums(t.Context(), cost.Query{Period: month, AllTenants: true, Observer: "cost"})
	require.NoError(t, err)
	require.EqualValues(t, 5+3+5, page.Sums[0].Invocations, "each, and what was replayed")
}
