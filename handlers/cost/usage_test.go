package cost_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/notifytest"
)

// invocations are those of an observer that were counted in a month, or a day.
func invocations(t *testing.T, l *cost.Ledger, period, observer string) int64 {
	t.Helper()
	page, err := l.Sums(context.Background(), cost.Query{Period: period, AllTenants: true, Observer: observer})
	require.NoError(t, err)
	if len(page.Sums) == 0 {
		return 0
	}
	require.Len(t, page.Sums, 1)
	return page.Sums[0].Invocations
}

// daily has days, which end sooner than months.
func daily(c *cost.Config) { c.Days = true }

// What an observer used is counted once, also if the store has forgotten what it
// was told before.
func TestUseThatIsForgotten(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := cost.NewMemory(func(c *cost.MemoryConfig) { c.Entries = 10 })
		ledger := cost.New(store, book())
		b.Notifier.Attach(ledger)
		notify.On(b.Notifier, "rare", func(context.Context, notify.Event[notify.Opened]) error { return nil })
		b.Start()
		month := time.Now().UTC().Format("2006-01")
		for round := range int64(4) {
			for range 2 {
				_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
				require.NoError(t, err)
				b.Pass(time.Minute) // which is added to what is known
			}
			require.Equal(t, 2*(round+1), invocations(t, ledger, month, "rare"))
			b.Pass(20 * time.Minute)
			for n := range 20 {
				_, err := store.Put(context.Background(), spending("shop", n, time.Now().Add(time.Duration(n)*time.Second)))
				require.NoError(t, err)
			}
			b.Pass(time.Minute)
		}
	})
}

// What an observer uses counts once, also right before it is detached, and when it is
// registered anew; and who comes and goes is forgotten.
func TestUseOfObserversThatComeAndGo(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		ledger := cost.New(cost.NewMemory(), book())
		b.Notifier.Attach(ledger)
		b.Start()
		month := time.Now().UTC().Format("2006-01")
		lives := func(name string, uses int) {
			notify.On(b.Notifier, name, func(context.Context, notify.Event[notify.Opened]) error { return nil })
			b.Pass(time.Second)
			for range uses {
				_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
				require.NoError(t, err)
			}
			b.Rest()
			require.NoError(t, b.Notifier.Detach(context.Background(), name))
			b.Pass(time.Minute)
		}
		for i, uses := range []int{2, 5, 5, 1} { // more than before, as many, less
			lives("again", uses)
			require.EqualValues(t, []int{2, 7, 12, 13}[i], invocations(t, ledger, month, "again"))
		}
		for n := range 130 {
			name := fmt.Sprint("connection-", n)
			lives(name, 1)
			require.EqualValues(t, 1, invocations(t, ledger, month, name))
		}
		require.Equal(t, 101, cost.Tallies(ledger), "the bench's own, and of those that the Notifier remembers")
	})
}

// What cannot be written of one observer, ever, does not keep others from being
// counted; and it is told.
func TestUseThatIsTooMuch(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := cost.NewMemory()
		ledger := cost.New(store, cost.Book{Currency: "EUR", Observers: []cost.ObserverPrice{{Observer: "dear", PerInvocation: cost.Unit}}}, daily, func(c *cost.Config) { c.Flush = time.Minute })
		b.Notifier.Attach(ledger)
		for _, name := range []string{"cheap", "dear", "other"} {
			notify.On(b.Notifier, name, func(context.Context, notify.Event[notify.Opened]) error { return nil })
		}
		b.Start()
		full := func(at time.Time) {
			const most = 1_000_000_000_000_000
			for left, n := int64(math.MaxInt64), 0; left > 0; n++ { // to a sum that holds no more
				e := cost.Entry{
					ID: fmt.Sprint(at, n), Group: cost.Group{Observer: "dear", Event: "notify.opened.v1"}, Month: fmt.Sprintf("1999-%02d", at.Day()), Day: at.Format("2006-01-02"), At: at,
					Count: cost.Count{Invocations: 1}, Facts: 1, Cost: euros(min(left, most)), Source: cost.ByBook,
				}
				_, err := store.Put(context.Background(), e)
				require.NoError(t, err)
				left -= e.Cost.Micros
			}
		}
		now := time.Now().UTC()
		tomorrow := now.AddDate(0, 0, 1)
		for _, at := range []time.Time{now, tomorrow} {
			full(at)
			for range 1000 {
				_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
				require.NoError(t, err)
			}
			b.Pass(6 * time.Minute)
			require.NotEmpty(t, b.Notifier.Health(context.Background()).Failing)
			for _, name := range []string{"cheap", "other"} {
				require.EqualValues(t, 1000, invocations(t, ledger, at.Format("2006-01-02"), name), name)
			}
			b.Pass(at.AddDate(0, 0, 1).Sub(at))
		}
		require.Empty(t, b.Notifier.Health(context.Background()).Failing, "it is over")
	})
}

// Nor does one for which the store has no room.
func TestUseThatHasNoRoom(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := cost.NewMemory(func(c *cost.MemoryConfig) { c.Cells = 100 })
		ledger := cost.New(store, book())
		b.Notifier.Attach(ledger)
		use := func(observer string) {
			notify.On(b.Notifier, observer, func(context.Context, notify.Event[notify.Opened]) error { return nil })
			b.Pass(time.Second)
			_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
			require.NoError(t, err)
			b.Pass(time.Minute)
		}
		b.Start()
		use("known")
		var err error
		for n := 0; err == nil; n++ {
			_, err = store.Put(context.Background(), spending(fmt.Sprint("t-", n), n, time.Now()))
		}
		require.ErrorIs(t, err, notify.ErrOverloaded)
		use("new")
		month := time.Now().UTC().Format("2006-01")
		require.EqualValues(t, 2, invocations(t, ledger, month, "known"))
		require.Zero(t, invocations(t, ledger, month, "new"))
		require.NotEmpty(t, b.Notifier.Health(context.Background()).Failing)
	})
}

// While the store is down a day may end, or a month: each has its own.
func TestUseOfADayThatEndsWhileTheStoreIsDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := &shaky{Store: cost.NewMemory()}
		ledger := cost.New(store, book(), daily)
		b.Notifier.Attach(ledger)
		var calls atomic.Int64
		notify.On(b.Notifier, "all", func(context.Context, notify.Event[notify.Opened]) error { calls.Add(1); return nil })
		b.Start()
		now := time.Now().UTC()
		end := time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
		b.Pass(time.Until(end) - time.Hour)
		use := func() {
			_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
			require.NoError(t, err)
			b.Pass(time.Minute)
		}
		use()
		store.down.Store(true)
		use()
		b.Pass(2 * time.Hour)
		use()
		store.down.Store(false)
		b.Pass(10 * time.Minute)
		require.EqualValues(t, 3, calls.Load())
		require.EqualValues(t, 2, invocations(t, ledger, now.Format("2006-01-02"), "all"))
		require.EqualValues(t, 1, invocations(t, ledger, end.Format("2006-01-02"), "all"))
	})
}

// What an observer is used is counted by type of event, each invocation once, the
// failed ones too, and priced by number and time.
func TestWhatObserversCost(t *testing.T) {
	run(t, func(d *desk) {
		var calls atomic.Int64
		notify.On(d.Notifier, "slow", func(context.Context, notify.Event[notify.Sent]) error {
			time.Sleep(500 * time.Millisecond)
			if calls.Add(1)%2 == 1 {
				return errors.New("not now")
			}
			return nil
		})
		for range 5 {
			d.sends(mailing("shop"))
			d.Pass(time.Minute)
		}
		require.NoError(d.t, d.Notifier.Replay(context.Background(), "cost", time.Time{}), "which changes no message")
		d.Pass(time.Minute)
		r, err := d.ledger.Month(context.Background(), cost.Query{AllTenants: true, By: cost.ByObserver})
		require.NoError(d.t, err)
		want := cost.Sum{Value: "slow", Currency: "EUR", Micros: 10*2 + 5*100, Count: cost.Count{Invocations: 10, Time: 5 * time.Second}}
		require.Equal(d.t, want, r.Lines[len(r.Lines)-1].Sum)
		require.Equal(d.t, "cost", r.Lines[1].Value)
		require.EqualValues(d.t, 10, r.Lines[1].Invocations, "its own, five of them a replay's")
		require.EqualValues(d.t, 3, r.Lines[1].Micros)
		require.EqualValues(d.t, 5, r.Lines[0].Messages)
		r, err = d.ledger.Month(context.Background(), cost.Query{AllTenants: true, Observer: "slow", By: cost.ByEvent})
		require.NoError(d.t, err)
		want.Value = "notify.sent.v1"
		require.Equal(d.t, want, r.Lines[0].Sum)
	})
}

// At a month's end each month has its own, in the time zone that was chosen.
func TestMonths(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	require.NoError(t, err)
	run(t, func(d *desk) {
		var calls atomic.Int64
		notify.On(d.Notifier, "slow", func(context.Context, notify.Event[notify.Sent]) error { calls.Add(1); return nil })
		// An hour before the year is over in Vienna.
		d.Pass(time.Until(time.Date(time.Now().Year(), 12, 31, 22, 30, 0, 0, time.UTC)))
		december := time.Now().In(vienna).Format("2006-01")
		d.sends(texting(german, "hello"))
		d.Pass(time.Hour)
		january := time.Now().In(vienna).Format("2006-01")
		require.NotEqual(d.t, december, january)
		require.Equal(d.t, december, time.Now().UTC().Format("2006-01"))
		d.sends(texting(german, "hello"))
		d.sends(texting(german, "hello"))
		d.Pass(time.Minute)
		for month, n := range map[string]int64{december: 1, january: 2} {
			r, err := d.ledger.Month(context.Background(), cost.Query{Period: month, Tenant: "shop"})
			require.NoError(d.t, err)
			require.Equal(d.t, n, r.Lines[0].Messages, month)
			r, err = d.ledger.Month(context.Background(), cost.Query{Period: month, Observer: "slow"})
			require.NoError(d.t, err)
			require.Equal(d.t, n, r.Lines[0].Invocations, month)
			require.Equal(d.t, 0, r.From.Hour())
			require.Equal(d.t, vienna, r.From.Location())
		}
	}, func(c *cost.Config) { c.Location = vienna })
}

// While the store fails nothing is lost: messages are retried, and what observers
// used is written when it works again.
func TestAStoreThatIsDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := &shaky{Store: cost.NewMemory()}
		store.down.Store(true)
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		ledger := cost.New(store, book(), func(c *cost.Config) { c.Retry.Attempts = -1 })
		b.Notifier.Attach(ledger)
		b.Settle(b.Send(mailing("shop")))
		b.Pass(10 * time.Minute)
		require.NotEmpty(t, b.Notifier.Health(context.Background()).Failing)
		store.down.Store(false)
		b.Pass(10 * time.Minute)
		r, err := ledger.Month(context.Background(), cost.Query{AllTenants: true, By: cost.ByObserver})
		require.NoError(t, err)
		require.EqualValues(t, 1, r.Lines[0].Messages)
		var invocations int64
		for _, o := range b.Notifier.Stats(context.Background()).Observers {
			if o.Name == "cost" {
				invocations = o.Invocations
			}
		}
		require.Greater(t, invocations, int64(5))
		require.Equal(t, invocations, r.Lines[1].Invocations)
	})
}

type shaky struct {
	cost.Store
	down atomic.Bool
}

var errDown = errors.New("the store is down")

func (s *shaky) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	if s.down.Load() {
		return 0, errDown
	}
	return s.Store.Put(ctx, entries...)
}

func (s *shaky) Sums(ctx context.Context, q cost.Query) (cost.Page, error) {
	if s.down.Load() {
		return cost.Page{}, errDown
	}
	return s.Store.Sums(ctx, q)
}

// So it is if the store was down right before.
func TestTheEndAfterTheStoreWasDown(t *testing.T) {
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		store := &shaky{Store: cost.NewMemory()}
		ledger := cost.New(store, book(), func(c *cost.Config) { c.Flush = time.Minute })
		b.Notifier.Attach(ledger)
		notify.On(b.Notifier, "views", func(context.Context, notify.Event[notify.Opened]) error { return nil })
		b.Start()
		_, err := notify.Emit(context.Background(), b.Notifier, notify.Opened{})
		require.NoError(t, err)
		store.down.Store(true)
		b.Pass(time.Minute)
		require.NotEmpty(t, b.Notifier.Health(context.Background()).Failing)
		store.down.Store(false)
		require.NoError(t, b.Notifier.Close(context.Background()))
		require.EqualValues(t, 1, invocations(t, ledger, time.Now().UTC().Format("2006-01"), "views"))
	})
}

// What observers use until the end is written at the end.
func TestTheEnd(t *testing.T) {
	t.Parallel()
	store := cost.NewMemory()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	ledger := cost.New(store, book(), func(c *cost.Config) { c.Flush = time.Hour })
	n.Attach(ledger)
	var calls atomic.Int64
	notify.On(n, "slow", func(context.Context, notify.Event[notify.Opened]) error { calls.Add(1); return nil })
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	for range 1000 {
		_, err := notify.Emit(t.Context(), n, notify.Opened{})
		require.NoError(t, err)
	}
	require.NoError(t, n.Close(context.Background()))
	require.NoError(t, <-ran)
	require.EqualValues(t, 1000, calls.Load())
	r, err := ledger.Month(t.Context(), cost.Query{AllTenants: true, Observer: "slow"})
	require.NoError(t, err)
	require.EqualValues(t, 1000, r.Lines[0].Invocations)
}

// Who looks what was used asks the backend for nothing.
func TestUseCostsTheBackendNothing(t *testing.T) {
	t.Parallel()
	carrier := &lagging{Backend: memory.New()}
	n, err := notify.New(notify.Config{Backend: carrier})
	require.NoError(t, err)
	ledger := cost.New(cost.NewMemory(), book(), func(c *cost.Config) { c.Flush = time.Millisecond })
	n.Attach(ledger)
	notify.On(n, "views", func(context.Context, notify.Event[notify.Opened]) error { return nil })
	ran := make(chan error, 1)
	go func() { ran <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	month := time.Now().UTC().Format("2006-01")
	for round := range int64(3) {
		_, err := notify.Emit(t.Context(), n, notify.Opened{})
		require.NoError(t, err)
		require.Eventually(t, func() bool { return invocations(t, ledger, month, "views") == round+1 }, 20*time.Second, time.Millisecond)
	}
	require.Zero(t, carrier.asked.Load())
	n.Stats(t.Context())
	require.NotZero(t, carrier.asked.Load())
	require.NoError(t, n.Close(context.Background()))
	require.NoError(t, <-ran)
}

// lagging counts how often it is asked for a lag.
type lagging struct {
	*memory.Backend
	asked atomic.Int64
}

func (b *lagging) Lag(ctx context.Context, topic, group string) (int64, error) {
	b.asked.Add(1)
	return b.Backend.Lag(ctx, topic, group)
}

// A ledger that was detached may be attached again: it counts on, all once, and keeps
// its budgets all the while.
func TestAttachedAgain(t *testing.T) {
	run(t, func(d *desk) {
		d.sends(mailing("shop"))
		d.Pass(time.Minute)
		require.NoError(d.t, d.Notifier.Detach(context.Background(), "cost"))
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
		d.Notifier.Attach(d.ledger)
		require.NoError(d.t, d.Notifier.Ready(context.Background()))
		for range 3 {
			d.sends(mailing("shop"))
			d.Pass(time.Minute)
		}
		require.Equal(d.t, notify.StateSuppressed, d.ends(texting(german, "hello")))
		d.Pass(time.Minute)
		r, err := d.ledger.Month(context.Background(), cost.Query{AllTenants: true, Observer: "cost"})
		require.NoError(d.t, err)
		require.EqualValues(d.t, 5, r.Lines[0].Invocations, "it begins with the oldest")
		r, err = d.ledger.Month(context.Background(), cost.Query{Tenant: "shop"})
		require.NoError(d.t, err)
		require.EqualValues(d.t, 4, r.Lines[0].Messages)
	}, budgets(cost.Budget{Channel: "sms", Limit: euros(0)}))
}
