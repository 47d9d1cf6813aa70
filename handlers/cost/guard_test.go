package cost_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/notifytest"
)

func budgets(all ...cost.Budget) func(*cost.Config) {
	return func(c *cost.Config) { c.Budgets = all }
}

// ends sends, and returns the state it ends in.
func (d *desk) ends(nt notify.Notification) notify.State {
	id := d.Send(nt)
	d.Pass(time.Minute) // receipts are not waited for
	status, err := d.Notifier.Status(context.Background(), id)
	require.NoError(d.t, err)
	return status.State
}

func of(tenant string, nt notify.Notification) notify.Notification {
	nt.Tenant = tenant
	return nt
}

// Each tenant has a budget of its own: beyond it nothing is sent, and of what is
// sent in a burst, before anything is counted, not much more than it.
func TestABudgetDrops(t *testing.T) {
	run(t, func(d *desk) {
		var ids []string
		for range 20 { // at once
			ids = append(ids, d.Send(texting(german, "hello")))
		}
		d.Pass(time.Minute)
		require.Len(d.t, d.text.Calls(), 5, "each taken to cost 90 thousandths, the most it may")
		suppressed := 0
		for _, id := range ids {
			status, err := d.Notifier.Status(context.Background(), id)
			require.NoError(d.t, err)
			if status.State == notify.StateSuppressed {
				suppressed++
				d.Require(id, notifytest.Once(notify.Suppressed{Guard: "cost", Reason: cost.ReasonSpent}))
			}
		}
		require.Equal(d.t, 15, suppressed)
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
		require.Equal(d.t, notify.StateSent, d.ends(of("bank", texting(german, "hello"))), "another tenant's")
		require.Equal(d.t, notify.StateSent, d.ends(of("", texting(german, "hello"))), "nobody's")
		r, err := d.ledger.Month(context.Background(), cost.Query{Tenant: "shop", Channel: "sms"})
		require.NoError(d.t, err)
		require.EqualValues(d.t, 5*81_000, r.Lines[0].Micros)
	}, budgets(cost.Budget{EachTenant: true, Limit: euros(5 * 90_000)}))
}

// What a notification is taken to cost may be given; what it does cost counts
// once it is known.
func TestEach(t *testing.T) {
	run(t, func(d *desk) {
		for range 3 {
			d.Send(mailing("shop"))
		}
		d.Pass(time.Minute)
		require.Len(d.t, d.mail.Calls(), 2)
		d.mail.Always(notifytest.SucceedWith(notify.Receipt{Cost: euros(1)}))
		require.Equal(d.t, notify.StateSent, d.ends(mailing("shop")), "mail was free after all")
		for range 5 {
			require.Equal(d.t, notify.StateSent, d.ends(mailing("shop")))
		}
		require.Equal(d.t, notify.StateSuppressed, d.ends(mailing("shop")), "6 are spent, and 5 would be more than 10")
	}, budgets(cost.Budget{Tenant: "shop", Limit: euros(10), Each: 5}))
}

// A budget that defers holds back until the next period begins.
func TestABudgetDefers(t *testing.T) {
	run(t, func(d *desk) {
		now := time.Now().UTC()
		d.Pass(time.Date(now.Year(), now.Month(), now.Day()+1, 15, 0, 0, 0, time.UTC).Sub(now))
		require.Equal(d.t, notify.StateSent, d.ends(texting(german, "hello")))
		id := d.Send(texting(german, "hello"))
		d.Until(id, notify.Delayed{})
		midnight := time.Date(now.Year(), now.Month(), now.Day()+2, 0, 0, 0, 0, time.UTC)
		d.Require(id, notifytest.Once(notify.Delayed{Until: midnight, Reason: notify.DelayGuard, Guard: "cost", GuardReason: cost.ReasonSpent}))
		d.Pass(time.Until(midnight.Add(-time.Second)))
		require.Len(d.t, d.text.Calls(), 1)
		d.Pass(time.Minute)
		require.Len(d.t, d.text.Calls(), 2)
	}, budgets(cost.Budget{Channel: "sms", Category: "codes", Limit: euros(90_000), Daily: true, Policy: cost.Defer}))
}

// What expires before the next period begins does not wait for that in vain.
func TestABudgetDefersWhatLives(t *testing.T) {
	run(t, func(d *desk) {
		require.Equal(d.t, notify.StateSent, d.ends(texting(german, "hello")))
		now := time.Now().UTC()
		next := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		briefly, lives := texting(german, "hello"), texting(german, "hello")
		briefly.ExpiresAt, lives.ExpiresAt = next, next.Add(time.Second)
		require.Equal(d.t, notify.StateSuppressed, d.ends(briefly))
		id := d.Send(lives)
		d.Until(id, notify.Delayed{})
		d.Require(id, notifytest.Once(notify.Delayed{Until: next, Reason: notify.DelayGuard, Guard: "cost", GuardReason: cost.ReasonSpent}))
		d.Pass(time.Until(next.Add(time.Second)))
		d.Settle(id)
		d.Require(id, notifytest.State(notify.StateSent))
	}, budgets(cost.Budget{Channel: "sms", Category: "codes", Limit: euros(90_000), Policy: cost.Defer}))
}

// What costs more than the whole budget, by the price book, does not wait for it.
func TestWhatNeverFits(t *testing.T) {
	run(t, func(d *desk) {
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
		id := d.Send(texting(german, "hello"))
		d.Pass(time.Minute)
		d.Require(id, notifytest.Once(notify.Suppressed{Guard: "cost", Reason: cost.ReasonSpent}), notifytest.Count(0, notify.Delayed{}))
		both := texting(german, "hello")
		both.To.Addresses[notify.EmailChannel] = "ann@example.com"
		both.Route = notify.First(notify.SMSChannel, notify.EmailChannel)
		require.Equal(d.t, notify.StateSuppressed, d.ends(both))
		require.Empty(d.t, d.text.Calls())
	}, budgets(
		cost.Budget{Channel: "sms", Limit: euros(80_999), Policy: cost.Defer},
		cost.Budget{Channel: "email", Limit: euros(0)},
	))
}

// But it waits for a price that makes it fit, and where nothing may be spent for as
// long as the host says so.
func TestWhatFitsLater(t *testing.T) {
	t.Parallel()
	april := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	prices := cost.Book{Currency: "EUR", Messages: []cost.MessagePrice{
		{Channel: "sms", PerMessage: 90 * cost.Milli}, {Channel: "sms", PerMessage: 40 * cost.Milli, From: april},
	}}
	for limit, want := range map[int64]notify.Decision{
		50_000: notify.DelayUntil(april, cost.ReasonSpent),
		30_000: notify.Suppress(cost.ReasonSpent),
		0:      notify.DelayUntil(april, cost.ReasonSpent),
	} {
		decide := cost.GuardOf(t, cost.New(cost.NewMemory(), prices, budgets(cost.Budget{Limit: euros(limit), Policy: cost.Defer})))
		d, err := decide(t.Context(), notify.GuardRequest{NotificationID: "n", Channels: []notify.Channel{"sms"}, Now: april.Add(-time.Hour)})
		require.NoError(t, err)
		require.Equal(t, want, d, limit)
	}
}

// The budget of the tenant without a name is of its messages: not of what observers
// cost, which is everybody's.
func TestObserversAreNoTenants(t *testing.T) {
	t.Parallel()
	store := cost.NewMemory()
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	_, err := store.Put(t.Context(), cost.Entry{
		ID: "observer/o", Group: cost.Group{Observer: "o", Event: "notify.sent.v1"}, Month: "2026-03", At: now,
		Count: cost.Count{Invocations: 1}, Facts: 1, Cost: euros(100), Source: cost.ByBook,
	})
	require.NoError(t, err)
	for _, tc := range []struct {
		budget cost.Budget
		want   notify.Decision
	}{
		{cost.Budget{EachTenant: true, Limit: euros(100)}, notify.Without()},
		{cost.Budget{Limit: euros(100)}, notify.Suppress(cost.ReasonSpent)},
	} {
		decide := cost.GuardOf(t, cost.New(store, cost.Book{}, budgets(tc.budget)))
		d, err := decide(t.Context(), notify.GuardRequest{NotificationID: "n", Channels: []notify.Channel{"sms"}, Now: now})
		require.NoError(t, err)
		require.Equal(t, tc.want, d)
	}
}

// Where the clocks skip midnight, the day is over when they do.
func TestADayWithoutMidnight(t *testing.T) {
	t.Parallel()
	for name, skips := range map[string]time.Time{
		"Atlantic/Azores":  time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		"America/Havana":   time.Date(2026, 3, 8, 5, 0, 0, 0, time.UTC),
		"America/Santiago": time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC),
		"Africa/Cairo":     time.Date(2026, 4, 23, 22, 0, 0, 0, time.UTC),
		"Pacific/Apia":     time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC), // and the day after it
	} {
		in, err := time.LoadLocation(name)
		require.NoError(t, err)
		decide := cost.GuardOf(t, cost.New(cost.NewMemory(), cost.Book{}, budgets(cost.Budget{Limit: euros(0), Daily: true, Policy: cost.Defer}),
			func(c *cost.Config) { c.Location = in }))
		at := skips.Add(-2 * time.Hour)
		for ; at.Before(skips); at = at.Add(10 * time.Minute) {
			d, err := decide(t.Context(), notify.GuardRequest{NotificationID: "n", Channels: []notify.Channel{"sms"}, Now: at})
			require.NoError(t, err)
			require.Equal(t, notify.DelayUntil(skips.In(in), cost.ReasonSpent), d, "%s at %s", name, at)
		}
		begin, end := cost.DayOf(skips, in)
		require.Equal(t, skips.In(in), begin, name)
		require.Equal(t, skips.In(in).AddDate(0, 0, 1).Day(), end.Day(), name)
	}
}

// Nor has such a month its day before.
func TestAMonthWithoutMidnight(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]time.Time{
		"America/Asuncion": time.Date(2023, 10, 1, 4, 0, 0, 0, time.UTC),
		"Asia/Damascus":    time.Date(2005, 3, 31, 22, 0, 0, 0, time.UTC),
	} {
		in, err := time.LoadLocation(name)
		require.NoError(t, err)
		ledger := cost.New(cost.NewMemory(), cost.Book{}, func(c *cost.Config) { c.Location = in })
		month := begins.In(in).Format("2006-01")
		r, err := ledger.Month(t.Context(), cost.Query{Period: month, AllTenants: true})
		require.NoError(t, err)
		require.Equal(t, begins.In(in), r.From, name)
		require.Equal(t, begins.In(in).AddDate(0, 1, 0).Month(), r.Until.Month(), name)
		before, err := ledger.Month(t.Context(), cost.Query{Period: begins.Add(-time.Hour).In(in).Format("2006-01"), AllTenants: true})
		require.NoError(t, err)
		require.Equal(t, begins.In(in), before.Until, name)
	}
}

// A channel whose budget is spent is left out where the route has others.
func TestAChannelIsLeftOut(t *testing.T) {
	run(t, func(d *desk) {
		both := func() notify.Notification {
			nt := texting(german, "hello")
			nt.To.Addresses[notify.EmailChannel] = "ann@example.com"
			nt.Route = notify.First(notify.SMSChannel, notify.EmailChannel)
			return nt
		}
		require.Equal(d.t, notify.StateSent, d.ends(both()))
		require.Len(d.t, d.text.Calls(), 1)
		require.Equal(d.t, notify.StateSent, d.ends(both()))
		require.Len(d.t, d.text.Calls(), 1)
		require.Len(d.t, d.mail.Calls(), 1)
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
		require.Equal(d.t, notify.StateSent, d.ends(mailing("shop")))
		only := both()
		delete(only.To.Addresses, notify.EmailChannel)
		require.Equal(d.t, notify.StateSuppressed, d.ends(only), "there is no other way")
	}, budgets(cost.Budget{Channel: "sms", Limit: euros(100_000)}))
}

// When the budgets of all channels are spent, one that defers has it wait.
func TestAllChannelsAreLeftOut(t *testing.T) {
	run(t, func(d *desk) {
		nt := texting(german, "hello")
		nt.To.Addresses[notify.EmailChannel] = "ann@example.com"
		nt.Route = notify.First(notify.SMSChannel, notify.EmailChannel)
		require.Equal(d.t, notify.StateSuppressed, d.ends(nt), "it expires before")
		nt.ExpiresAt = time.Now().AddDate(0, 2, 0)
		id := d.Send(nt)
		d.Until(id, notify.Delayed{})
		require.Empty(d.t, d.text.Calls())
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
	}, budgets(
		cost.Budget{Channel: "sms", Limit: euros(0)},
		cost.Budget{Channel: "email", Limit: euros(0), Policy: cost.Defer},
	))
}

// An attempt that was delayed is asked about again, and what the notification
// holds already counts once.
func TestAskedAgain(t *testing.T) {
	run(t, func(d *desk) {
		d.text.Next(notifytest.FailTemporarily(notify.ClassOther, ""), notifytest.FailTemporarily(notify.ClassOther, ""))
		require.Equal(d.t, notify.StateSent, d.ends(texting(german, "hello")))
		require.Len(d.t, d.text.Calls(), 3)
	}, budgets(cost.Budget{Limit: euros(90_000)}))
}

// What is held is given back in the end, and costs in another currency do not
// count.
func TestHolds(t *testing.T) {
	run(t, func(d *desk) {
		d.text.Always(notifytest.FailPermanently(notify.ClassContent, ""))
		require.Equal(d.t, notify.StateFailed, d.ends(texting(german, "hello")))
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")), "it is held")
		d.text.Always(notifytest.Succeed())
		d.Pass(10 * time.Minute)
		require.Equal(d.t, notify.StateSent, d.ends(texting(austrian, "hello")), "in dollars")
		require.Equal(d.t, notify.StateSent, d.ends(texting(german, "hello")))
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
	}, budgets(cost.Budget{Limit: euros(100_000)}))
}

// While the sums cannot be read nothing is sent, and nothing is lost.
func TestABudgetThatCannotBeRead(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := &shaky{Store: cost.NewMemory()}
		store.down.Store(true)
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Notifier.Attach(cost.New(store, book(), budgets(cost.Budget{Limit: euros(1)})))
		id := b.Send(mailing(""))
		b.Pass(time.Hour)
		require.Empty(t, mail.Calls())
		store.down.Store(false)
		b.Settle(id)
		require.Len(t, mail.Calls(), 1)
	})
}

// asked counts what is asked of a store.
type asked struct {
	cost.Store
	sums atomic.Int64
}

func (a *asked) Sums(ctx context.Context, q cost.Query) (cost.Page, error) {
	a.sums.Add(1)
	return a.Store.Sums(ctx, q)
}

// The store is asked once a second for each budget, not once a notification; and
// what is remembered stays bounded, whatever tenants there are.
func TestAGuardIsCheap(t *testing.T) {
	t.Parallel()
	store := &asked{Store: cost.NewMemory()}
	ledger := cost.New(store, book(), budgets(cost.Budget{EachTenant: true, Limit: euros(1_000_000), Each: 1}))
	decide := cost.GuardOf(t, ledger)
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	ask := func(tenant string, n int) {
		d, err := decide(t.Context(), notify.GuardRequest{NotificationID: fmt.Sprint(n), Tenant: tenant, Channels: []notify.Channel{"sms"}, Now: now})
		require.NoError(t, err)
		require.Equal(t, notify.Without(), d)
	}
	for n := range 10_000 {
		now = now.Add(time.Millisecond)
		ask("shop", n)
	}
	require.LessOrEqual(t, store.sums.Load(), int64(11))
	for n := range 25_000 {
		ask(fmt.Sprint("tenant-", n%1100), 10_000+n)
	}
	accounts, holds := cost.Remembered(ledger)
	require.LessOrEqual(t, accounts, 1000)
	require.LessOrEqual(t, holds, 20_000)
	require.Greater(t, holds, 1000)
	now = now.Add(time.Hour)
	for n := range 1100 {
		ask(fmt.Sprint("tenant-", n), n)
	}
	accounts, holds = cost.Remembered(ledger)
	require.LessOrEqual(t, accounts, 1000)
	require.LessOrEqual(t, holds, 1100, "the others were held for long enough")
	now = now.AddDate(0, 1, 0) // to a period in which nobody asks about these
	ask("shop", 1)
	accounts, holds = cost.Remembered(ledger)
	require.Equal(t, 1, accounts)
	require.Equal(t, 1, holds)
}

// slow is a store that answers when it is told to.
type slow struct {
	asked
	answer chan error
}

func (s *slow) Sums(ctx context.Context, q cost.Query) (cost.Page, error) {
	s.sums.Add(1)
	select {
	case err := <-s.answer:
		return cost.Page{}, err
	case <-ctx.Done():
		return cost.Page{}, ctx.Err()
	}
}

// Those who ask at the same time get one answer, also if it is an error; but one
// that gives up does not have others give up.
func TestAskedAtTheSameTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slow{answer: make(chan error)}
		decide := cost.GuardOf(t, cost.New(store, book(), budgets(cost.Budget{Limit: euros(1_000_000), Each: 1})))
		now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
		all := func(ctx context.Context) (failed *atomic.Int64, wait func()) {
			failed = &atomic.Int64{}
			var wg sync.WaitGroup
			for n := range 50 {
				wg.Go(func() {
					r := notify.GuardRequest{NotificationID: fmt.Sprint(n), Channels: []notify.Channel{"sms"}, Now: now.Add(-time.Duration(n) * time.Microsecond)}
					if _, err := decide(ctx, r); err != nil {
						failed.Add(1)
					}
				})
			}
			synctest.Wait()
			return failed, wg.Wait
		}
		failed, wait := all(t.Context())
		store.answer <- errDown
		wait()
		require.EqualValues(t, 50, failed.Load())
		require.EqualValues(t, 1, store.sums.Load())

		ctx, cancel := context.WithCancel(t.Context())
		given, waitGiven := all(ctx)
		failed, wait = all(t.Context())
		cancel()
		waitGiven()
		synctest.Wait()
		store.answer <- nil
		wait()
		require.EqualValues(t, 50, given.Load())
		require.Zero(t, failed.Load())
		require.EqualValues(t, 3, store.sums.Load())

		failed, wait = all(t.Context())
		wait()
		require.Zero(t, failed.Load())
		require.EqualValues(t, 3, store.sums.Load(), "it is known")
	})
}
