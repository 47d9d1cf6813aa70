// Package cost counts what is spent: what messages cost, as the providers say
// or by a price book, and what observers cost, by invocation and by second.
//
//	ledger := cost.New(cost.NewMemory(), book, func(c *cost.Config) {
//	    c.Budgets = []cost.Budget{{EachTenant: true, Limit: notify.Cost{Micros: 50_000_000, Currency: "EUR"}}}
//	})
//	n.Attach(ledger)
//	...
//	report, err := ledger.Month(ctx, cost.Query{AllTenants: true, By: cost.ByChannel})
//
// # What is counted
//
// A message counts once for each attempt that a provider took ([notify.Sent]),
// however often the provider was called for it under one key, and in the month in
// which the provider took it. Its cost is what the host set by [Ledger.Correct],
// or else what a report said ([notify.Delivered], [notify.Undelivered]), or else
// the receipt, or else the [Book]. A provider's price without a currency, or
// below zero, is ignored. A message without any price is counted in a [Sum]
// without a currency. An attempt that ended as [notify.Unknown] counts nothing,
// unless its Sent comes after all, or a report of what it cost.
//
// Each real invocation of an observer counts, retries and redeliveries too, in
// the process that ran it, and also those of this package's own observer. They
// are counted by type of event, and have no tenant.
//
// Amounts are integers, in millionths of a currency's unit; an entry's cost is
// rounded once, to the nearest, and a billion units at most. Different currencies
// are never added up. A sum beyond int64 is refused with an error.
//
// # What it promises
//
// Messages are counted exactly, however often and in whatever order events come:
// the [Store] knows each by its ID, and changes sums with it in one transaction.
// When an event is replayed whose entry the store has forgotten, it does not
// count again either: what is older than the oldest entry is left out. Once
// entries were forgotten, so is what a report says of an unknown message
// ([Ledger.TooOld] counts both). An event whose Put fails is retried as
// [notify.Retry] says and is a dead letter in the end, to be redriven; one whose
// sum would overflow is a dead letter at once.
//
// What observers used is written every [Config.Flush], and when the Notifier ends, after its
// observers. Each write holds all that this process has used in the period, or since the observer
// was last idle for ten minutes, so that a repeated write changes nothing, in a store that keeps
// entries for that long. A process that is killed loses what it used since the last write. What is
// used in the interval around a period's end counts in the period that ends. While the store
// fails, the write is tried again and [notify.Notifier.Health] tells of it; only what cannot be
// written when the Notifier ends is lost. If a store refuses what one observer used, the others
// are counted all the same.
//
// Each store documents what it keeps at most, and what it does then: see
// [Memory]. Entries and sums hold no address and no content.
package cost

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
	"github.com/seed-6c01d079/notify/handlers/internal/event"
)

// Config is how a [Ledger] observes and guards. The observer's Name is by default
// "cost", which is the guard's too, and From [backend.FromOldest]. It is
// ReplaySafe.
type Config struct {
	notify.Observer
	// Location is the time zone that months and days are of; default UTC. The
	// store keeps months and days by name, so do not change it within one.
	Location *time.Location
	// Days says that sums are kept for each day, too, not only for each month;
	// default only if a [Budget] is Daily.
	Days bool
	// Flush is how often what observers used is written; default 10 s.
	Flush time.Duration
	// Budgets are kept by a guard; default none, and no guard.
	Budgets []Budget
	// Refresh is how old the sum may be that a budget is held against; default 1 s.
	Refresh time.Duration
	// HoldFor is how long a budget counts what it let pass as spent, while its real
	// cost is not known; default 10 minutes.
	HoldFor time.Duration
}

// Ledger is an observer that writes a [Store], the worker that writes what
// observers use, and the guard that keeps the budgets. Its methods are safe for
// concurrent use.
type Ledger struct {
	config   Config
	store    Store
	book     Book
	prices   *prices
	guard    *guard
	notifier atomic.Pointer[notify.Notifier]
	usage    usage
	works    atomic.Bool // while it does
	tooOld   atomic.Int64

	lastPeriod atomic.Pointer[periodNames]
}

var (
	_ notify.Attacher = (*Ledger)(nil)
	_ notify.Worker   = (*Ledger)(nil)
)

// New returns a ledger for [notify.Notifier.Attach]; with budgets it must come
// before Run, as for every guard. Options change its [Config]. Two of one Notifier
// need two names, and two stores.
func New(store Store, book Book, options ...func(*Config)) *Ledger {
	l := &Ledger{store: store, book: book}
	l.config.Name = "cost"
	l.config.From = backend.FromOldest()
	l.config.ReplaySafe = true
	for _, option := range options {
		option(&l.config)
	}
	if l.config.Location == nil {
		l.config.Location = time.UTC
	}
	for _, b := range l.config.Budgets {
		l.config.Days = l.config.Days || b.Daily
	}
	for _, one := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{{&l.config.Flush, 10 * time.Second}, {&l.config.Refresh, time.Second}, {&l.config.HoldFor, 10 * time.Minute}} {
		if *one.value == 0 {
			*one.value = one.otherwise
		}
	}
	return l
}

// Attach implements [notify.Attacher]. Each problem of the book, the budgets and
// the configuration is a [notify.FieldError].
func (l *Ledger) Attach(n *notify.Notifier) error {
	var found problems
	found.when(attach.IsNil(l.store), "cost.New", "the store is nil; cost.NewMemory() will do for a single process that may forget")
	found.when(l.config.Flush < 0, "cost.Config.Flush", "must not be negative")
	found.when(l.config.Refresh < 0, "cost.Config.Refresh", "must not be negative")
	found.when(l.config.HoldFor < 0, "cost.Config.HoldFor", "must not be negative")
	for i, b := range l.config.Budgets {
		b.check(&found, fmt.Sprintf("cost.Config.Budgets[%d]", i))
	}
	o := attach.Observer(l.config.Observer, notify.Observer{
		Name: "cost", Handlers: []notify.Handler{notify.Handle(l.sent), notify.Handle(l.delivered), notify.Handle(l.undelivered)},
	})
	if err := errors.Join(errors.Join(found...), l.book.Check()); err != nil {
		return err
	}
	switch {
	case l.notifier.CompareAndSwap(nil, n):
		l.begin(n, o.Name)
	case l.notifier.Load() != n:
		return &notify.FieldError{Field: "cost.New", Problem: "is attached to another Notifier: make one for each"}
	} // else it was detached, and its guard was not
	n.Observe(o)
	return nil
}

// begin makes what it needs once it is attached.
func (l *Ledger) begin(n *notify.Notifier, name string) {
	l.prices = newPrices(l.book)
	l.usage.instance = rand.Text()
	if len(l.config.Budgets) > 0 {
		l.guard = newGuard(l)
		n.Guard(name, l.guard.decide)
	}
}

// TooOld counts the events, since the ledger was made, that were left out because
// the store had forgotten whether they were counted.
func (l *Ledger) TooOld() int64 { return l.tooOld.Load() }

func (l *Ledger) sent(ctx context.Context, e notify.Event[notify.Sent]) error {
	entry := l.entry(e.Envelope, e.Data.Attempt)
	entry.Country, entry.Segments, entry.Facts = e.Data.Country, int64(max(e.Data.Segments, 0)), 1
	if said(e.Data.Cost) {
		entry.Cost, entry.Source = e.Data.Cost, ByReceipt
	} else if price, ok := l.prices.message(entry.Channel, entry.Provider, entry.Country, entry.At); ok {
		entry.Cost, entry.Source = price.cost(entry.Segments), ByBook
	}
	if err := l.put(ctx, entry); err != nil {
		return final(err)
	}
	if l.guard != nil {
		l.guard.counted(e.NotificationID)
	}
	return nil
}

func (l *Ledger) delivered(ctx context.Context, e notify.Event[notify.Delivered]) error {
	return l.reported(ctx, e.Envelope, e.Data.Attempt, e.Data.Cost)
}

func (l *Ledger) undelivered(ctx context.Context, e notify.Event[notify.Undelivered]) error {
	return l.reported(ctx, e.Envelope, e.Data.Attempt, e.Data.Cost)
}

// reported counts what a report says of the cost. Until Sent comes it is all that
// is known of the message.
func (l *Ledger) reported(ctx context.Context, e notify.Envelope, a notify.Attempt, c notify.Cost) error {
	if !said(c) {
		return nil
	}
	entry := l.entry(e, a)
	entry.Cost, entry.Source = c, ByReport
	return final(l.put(ctx, entry))
}

// final is the error of an event: what is wrong with it does not get better.
func final(err error) error {
	if isFinal(err) {
		return notify.Permanent(err)
	}
	return err
}

func isFinal(err error) bool {
	return len(notify.FieldErrors(err)) > 0 || errors.Is(err, ErrOverflow)
}

// said tells whether a provider has said what it charges.
func said(c notify.Cost) bool {
	return validCurrency(c.Currency) && c.Micros >= 0 && c.Micros <= maxMicros
}

const sentEvent = "notify.sent.v1"

func (l *Ledger) entry(e notify.Envelope, a notify.Attempt) Entry {
	at := moments(event.Happened(e))
	entry := Entry{
		ID: attemptOf(e), NotificationID: e.NotificationID,
		Group: Group{Tenant: e.Tenant, Category: e.Category, Channel: a.Channel, Provider: a.Provider, Event: sentEvent},
		At:    at, Count: Count{Messages: 1}, By: e.ID, PricedAt: at, PricedBy: e.ID,
	}
	entry.Month, entry.Day = l.periods(entry.At)
	return entry
}

// attemptOf is what the IDs of an attempt's events have in common. One that the
// host made up is the whole.
func attemptOf(e notify.Envelope) string {
	return strings.TrimSuffix(e.ID, "/"+event.Name(e.Type))
}

func moments(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// periods are those that something counts in.
func (l *Ledger) periods(at time.Time) (month, day string) {
	if last := l.lastPeriod.Load(); last != nil && !at.Before(last.from) && at.Before(last.until) {
		return last.month, last.day
	}
	local := at.In(l.config.Location)
	last := &periodNames{month: local.Format(monthLayout)}
	last.from, last.until = periodBegin(at, l.config.Location, l.config.Days), periodEnd(at, l.config.Location, l.config.Days)
	if l.config.Days {
		last.day = local.Format(dayLayout)
	}
	l.lastPeriod.Store(last)
	return last.month, last.day
}

// periodNames are those that something counts in between two times.
type periodNames struct {
	from, until time.Time
	month, day  string
}

func (l *Ledger) put(ctx context.Context, entries ...Entry) error {
	tooOld, err := l.store.Put(ctx, entries...)
	l.tooOld.Add(int64(tooOld))
	if err != nil {
		return fmt.Errorf("cost: count what was spent: %w", err)
	}
	return nil
}
