package cost_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/notifytest"
)

// desk is a Notifier in virtual time that sends text messages and mail, and its
// ledger.
type desk struct {
	*notifytest.Bench
	t      *testing.T
	text   *notifytest.Provider[notify.SMS]
	mail   *notifytest.Provider[notify.Email]
	store  cost.Store
	ledger *cost.Ledger
}

func book() cost.Book {
	return cost.Book{
		Currency: "EUR",
		Messages: []cost.MessagePrice{
			{Channel: notify.SMSChannel, PerSegment: 90 * cost.Milli},
			{Channel: notify.SMSChannel, Provider: "text", Country: "DE", PerMessage: 1 * cost.Milli, PerSegment: 80 * cost.Milli},
			{Channel: notify.SMSChannel, Provider: "text", Country: "AT", Currency: "USD", PerSegment: 50 * cost.Milli},
		},
		Observers: []cost.ObserverPrice{
			{PerInvocation: 3 * cost.Micro / 10},
			{Observer: "slow", PerInvocation: 2 * cost.Micro, PerSecond: 100 * cost.Micro},
		},
	}
}

func run(t *testing.T, f func(d *desk), options ...func(*cost.Config)) {
	t.Helper()
	t.Parallel()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		d := &desk{
			Bench: b, t: t, store: cost.NewMemory(),
			text: notifytest.NewProvider[notify.SMS]("text", func(c *notify.Capabilities) { c.Receipts = true }),
			mail: notifytest.NewProvider[notify.Email]("mail"),
		}
		notify.Use(b.Notifier, d.text)
		notify.Use(b.Notifier, d.mail)
		d.ledger = cost.New(d.store, book(), options...)
		b.Notifier.Attach(d.ledger)
		f(d)
	})
}

const (
	german   = "+4915112345678"
	austrian = "+4366412345678"
	french   = "+33612345678"
)

func texting(number, text string) notify.Notification {
	return notify.Notification{
		Tenant: "shop", Category: "codes", Content: notify.Content{Body: text}, Route: notify.First(notify.SMSChannel),
		To: notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{notify.SMSChannel: number}},
	}
}

func mailing(tenant string) notify.Notification {
	return notify.Notification{
		Tenant: tenant, Category: "orders", Content: notify.Content{Body: "on its way"}, Route: notify.First(notify.EmailChannel),
		To: notify.Recipient{ID: "ann", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
	}
}

// sends sends, and waits until the message is counted.
func (d *desk) sends(nt notify.Notification) string {
	id := d.Send(nt)
	d.Until(id, notify.Sent{})
	d.handled(id)
	return id
}

func (d *desk) handled(id string) {
	require.NoError(d.t, d.Notifier.Handled(context.Background(), id, "cost"))
}

// costs is what the notification's only entry says.
func (d *desk) costs(id string) cost.Entry {
	entries, err := d.ledger.Notification(context.Background(), id)
	require.NoError(d.t, err)
	require.Len(d.t, entries, 1)
	return entries[0]
}

func euros(micros int64) notify.Cost { return notify.Cost{Micros: micros, Currency: "EUR"} }

func TestWhatAMessageCosts(t *testing.T) {
	run(t, func(d *desk) {
		long := "Zażółć gęślą jaźń, and this goes on until it is too long to be one text message alone."
		e := d.costs(d.sends(texting(german, "hello")))
		require.Equal(d.t, euros(81_000), e.Cost)
		require.Equal(d.t, cost.ByBook, e.Source)
		require.Equal(d.t, cost.Group{Tenant: "shop", Channel: "sms", Category: "codes", Provider: "text", Country: "DE", Event: "notify.sent.v1"}, e.Group)
		require.Equal(d.t, cost.Count{Messages: 1, Segments: 1}, e.Count)
		require.Equal(d.t, euros(161_000), d.costs(d.sends(texting(german, long))).Cost)
		require.Equal(d.t, notify.Cost{Micros: 50_000, Currency: "USD"}, d.costs(d.sends(texting(austrian, "hello"))).Cost)
		require.Equal(d.t, euros(180_000), d.costs(d.sends(texting(french, long))).Cost)

		d.text.Next(notifytest.SucceedWith(notify.Receipt{Cost: euros(7), Segments: 4}))
		e = d.costs(d.sends(texting(german, "hello")))
		require.Equal(d.t, euros(7), e.Cost)
		require.EqualValues(d.t, 4, e.Segments)
		require.Equal(d.t, cost.ByReceipt, e.Source)
		d.text.Next(notifytest.SucceedWith(notify.Receipt{Cost: notify.Cost{Micros: -7, Currency: "EUR"}}))
		require.Equal(d.t, euros(81_000), d.costs(d.sends(texting(german, "hello"))).Cost, "below zero is not said")
		d.text.Next(notifytest.SucceedWith(notify.Receipt{Cost: notify.Cost{Micros: 7, Currency: "euro"}}))
		require.Equal(d.t, euros(81_000), d.costs(d.sends(texting(german, "hello"))).Cost)

		e = d.costs(d.sends(mailing("shop")))
		require.Equal(d.t, cost.Unpriced, e.Source)
		require.Zero(d.t, e.Cost)

		r, err := d.ledger.Month(context.Background(), cost.Query{Tenant: "shop", Event: "notify.sent.v1"})
		require.NoError(d.t, err)
		var all []cost.Sum
		for _, line := range r.Lines {
			all = append(all, line.Sum)
		}
		require.Equal(d.t, []cost.Sum{
			{Count: cost.Count{Messages: 1}},
			{Currency: "EUR", Micros: 81_000*3 + 161_000 + 180_000 + 7, Count: cost.Count{Messages: 6, Segments: 1 + 2 + 2 + 4 + 1 + 1}},
			{Currency: "USD", Micros: 50_000, Count: cost.Count{Messages: 1, Segments: 1}},
		}, all)
	})
}

// One attempt is one message, however often the provider was called; two attempts
// that both sent are two.
func TestAttempts(t *testing.T) {
	run(t, func(d *desk) {
		d.text.Next(notifytest.FailTemporarily(notify.ClassOther, ""), notifytest.FailTemporarily(notify.ClassOther, ""))
		require.Equal(d.t, euros(81_000), d.costs(d.sends(texting(german, "hello"))).Cost)
		require.Len(d.t, d.text.Calls(), 3)
		both := texting(german, "hello")
		both.To.Addresses[notify.EmailChannel] = "ann@example.com"
		both.Route = notify.All(notify.SMSChannel, notify.EmailChannel)
		id := d.Send(both)
		d.Pass(time.Second)
		d.handled(id)
		entries, err := d.ledger.Notification(context.Background(), id)
		require.NoError(d.t, err)
		require.Len(d.t, entries, 2)
	})
}

// What a provider says of the time to come is known since it says so, and counts in
// the month of then.
func TestAReportOfTheFuture(t *testing.T) {
	run(t, func(d *desk) {
		d.text.Next(notifytest.Fail(errors.New("no answer")))
		id := d.Send(texting(german, "hello"))
		d.Until(id, notify.Unknown{})
		report := func(event any, at time.Time) {
			require.NoError(d.t, d.Notifier.Report(context.Background(), notify.Report{Key: d.text.Calls()[0].Key, Event: event, At: at}))
			d.handled(id)
		}
		now := time.Now().UTC()
		report(notify.Undelivered{Cost: euros(6)}, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
		e := d.costs(id)
		require.Equal(d.t, euros(6), e.Cost)
		require.Equal(d.t, now.Format("2006-01"), e.Month)
		require.Equal(d.t, now, e.At)
		d.Pass(time.Minute)
		report(notify.Delivered{Cost: euros(7)}, time.Time{})
		require.Equal(d.t, euros(7), d.costs(id).Cost)
	})
}

// What is known later replaces what was before: a report's word the receipt's,
// and the host's all others.
func TestLater(t *testing.T) {
	run(t, func(d *desk) {
		d.text.Next(notifytest.SucceedWith(notify.Receipt{MessageID: "m-1", Cost: euros(5)}))
		id := d.sends(texting(german, "hello"))
		report := func(event any) {
			require.NoError(d.t, d.Notifier.Report(context.Background(), notify.Report{Provider: "text", MessageID: "m-1", Event: event}))
			d.handled(id)
		}
		report(notify.Delivered{})
		require.Equal(d.t, euros(5), d.costs(id).Cost)
		d.Pass(time.Second)
		report(notify.Undelivered{Cost: notify.Cost{Micros: 6, Currency: "USD"}})
		require.Equal(d.t, notify.Cost{Micros: 6, Currency: "USD"}, d.costs(id).Cost)
		require.NoError(d.t, d.ledger.Correct(context.Background(), id, d.costs(id).ID, euros(4)))
		require.Equal(d.t, euros(4), d.costs(id).Cost)
		require.NoError(d.t, d.ledger.Correct(context.Background(), id, d.costs(id).ID, euros(3)))
		require.NoError(d.t, d.Notifier.Replay(context.Background(), "cost", time.Time{}))
		e := d.costs(id)
		require.Equal(d.t, euros(3), e.Cost)
		require.Equal(d.t, "DE", e.Country)
		require.Equal(d.t, cost.ByHost, e.Source)
		require.ErrorIs(d.t, d.ledger.Correct(context.Background(), id, "none", euros(3)), notify.ErrNotFound)
		require.Len(d.t, notify.FieldErrors(d.ledger.Correct(context.Background(), id, e.ID, notify.Cost{Micros: 1})), 1)
		page, err := d.ledger.Sums(context.Background(), cost.Query{Period: time.Now().UTC().Format("2006-01"), Tenant: "shop"})
		require.NoError(d.t, err)
		require.Equal(d.t, []cost.Sum{{Currency: "EUR", Micros: 3, Count: cost.Count{Messages: 1, Segments: 1}}}, page.Sums)
	})
}

// losing is a store that forgets an entry once it has shown it.
type losing struct{ cost.Store }

func (l *losing) Put(context.Context, ...cost.Entry) (int, error) { return 1, nil }

// What the store forgets while it is corrected is not corrected.
func TestACorrectionThatComesTooLate(t *testing.T) {
	t.Parallel()
	store := cost.NewMemory()
	_, err := store.Put(t.Context(), spending("shop", 1, start))
	require.NoError(t, err)
	ledger := cost.New(&losing{store}, book())
	require.ErrorIs(t, ledger.Correct(t.Context(), "shop-1", "shop-1", euros(3)), notify.ErrNotFound)
	require.Zero(t, ledger.TooOld(), "it is no event")
}

// The projection goes by the part of the month that is over.
func TestProjection(t *testing.T) {
	run(t, func(d *desk) {
		now := time.Now().UTC()
		first := time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		d.Pass(first.Sub(now))
		d.sends(texting(german, "hello"))
		end := first.AddDate(0, 1, 0)
		d.Pass(time.Until(first.Add(end.Sub(first) / 4)))
		r, err := d.ledger.Month(context.Background(), cost.Query{Tenant: "shop"})
		require.NoError(d.t, err)
		require.Equal(d.t, first, r.From)
		require.Equal(d.t, end, r.Until)
		require.EqualValues(d.t, 81_000, r.Lines[0].Micros)
		require.EqualValues(d.t, 4*81_000, r.Lines[0].Projected)
		d.Pass(time.Until(end))
		r, err = d.ledger.Month(context.Background(), cost.Query{Tenant: "shop", Period: first.Format("2006-01")})
		require.NoError(d.t, err)
		require.EqualValues(d.t, 81_000, r.Lines[0].Projected, "it is over")
		_, err = d.ledger.Month(context.Background(), cost.Query{Period: "2026-03-01", Limit: -1})
		require.Len(d.t, notify.FieldErrors(err), 2)
		require.Equal(d.t, "Query.Period", notify.FieldErrors(err)[0].Field)
	}, func(c *cost.Config) { c.Flush = 24 * time.Hour })
}

// An event that cannot be counted, ever, is a dead letter at once.
func TestWhatCannotBeCounted(t *testing.T) {
	run(t, func(d *desk) {
		d.Start()
		_, err := notify.Emit(context.Background(), d.Notifier, notify.Sent{Attempt: notify.Attempt{Leg: notify.Leg{Leg: 1, Channel: "sms"}, Attempt: 1, Provider: "text"}})
		require.NoError(d.t, err)
		d.Pass(time.Second)
		for _, o := range d.Notifier.Stats(context.Background()).Observers {
			if o.Name == "cost" {
				require.EqualValues(d.t, 1, o.DeadLetters)
				require.EqualValues(d.t, 1, o.Invocations)
			}
		}
	})
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	wrong := cost.Book{Currency: "eur"}
	n.Attach(cost.New(nil, wrong, func(c *cost.Config) {
		c.Flush, c.Refresh, c.HoldFor = -1, -1, -1
		c.Budgets = []cost.Budget{{Tenant: "a", EachTenant: true, Channel: "S", Limit: notify.Cost{Micros: -1}, Each: -1, Policy: 7}, {Limit: euros(5), Each: 6}}
	}))
	_, err = n.Send(t.Context(), mailing("shop"))
	var fields []string
	for _, problem := range notify.FieldErrors(err) {
		fields = append(fields, problem.Field)
	}
	for _, field := range []string{
		"cost.New", "cost.Config.Flush", "cost.Config.Refresh", "cost.Config.HoldFor", "Book.Currency",
		"cost.Config.Budgets[0].EachTenant", "cost.Config.Budgets[0].Channel", "cost.Config.Budgets[0].Limit.Currency",
		"cost.Config.Budgets[0].Limit.Micros", "cost.Config.Budgets[0].Each", "cost.Config.Budgets[0].Policy", "cost.Config.Budgets[1].Each",
	} {
		require.Contains(t, fields, field)
	}
	require.NoError(t, n.Close(t.Context()))

	twice := cost.New(cost.NewMemory(), book())
	for range 2 {
		n, err = notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(twice)
		_, err = n.Send(t.Context(), mailing("shop"))
		require.NoError(t, n.Close(t.Context()))
	}
	require.ErrorContains(t, err, "attached to another")
}
