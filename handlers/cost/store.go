package cost

import (
	"context"
	"errors"
	"time"
)

// Store keeps entries, and the sums of them. All methods are safe for concurrent
// use. Package costtest checks a store against this contract; [Entry.Check],
// [Entry.Join], [Changes] and [Query.Resolve] help to write one.
type Store interface {
	// Put has each entry joined ([Entry.Join]) with what is known of its ID, and
	// the sums changed with it, all in one transaction: an error says that nothing
	// has changed, or that nobody knows, and it may be tried again. Entries may be
	// forgotten, the oldest first (by At), while their sums stay. One that is not
	// known, and not later than the latest that was forgotten, may have been counted
	// before: it is left out, and counted in tooOld. So is, once any was forgotten,
	// a part without Facts of an entry that is not known, which comes later than the
	// entry did. Sums may be dropped too, all of a period at once, of months and of
	// days each the oldest first, and none of a period that is not over everywhere:
	// of what was dropped, and of periods before it, there is none from then on,
	// whatever is put. The error wraps [ErrOverflow] if a sum had more than the store
	// holds, which is 1<<58 at least, and [notify.ErrOverloaded] at a cap. What is
	// wrong with an entry is reported as [notify.FieldError].
	Put(ctx context.Context, entries ...Entry) (tooOld int, err error)
	// Entries returns those of a notification, ordered by ID.
	Entries(ctx context.Context, notificationID string) ([]Entry, error)
	// Sums returns a page of the sums that q asks for, ordered by value and
	// currency, each byte by byte; without any there is none. What is wrong with q
	// is reported as [notify.FieldError]; the error wraps ErrOverflow if a sum
	// has more than int64 holds.
	Sums(ctx context.Context, q Query) (Page, error)
}

// ErrOverflow says that a sum has more millionths, messages or nanoseconds than
// can be kept.
var ErrOverflow = errors.New("cost: the sum has more than can be kept")

// Page is a part of a list of sums.
type Page struct {
	Sums []Sum
	// Next is the [Query.After] of the next page; empty if there is none.
	Next string
}

// Sum is what was spent in one currency. What is not priced has an empty
// Currency, and a Count all the same.
type Sum struct {
	// Value is that of [Query.By].
	Value    string
	Currency string
	// Micros is in millionths of the currency's unit.
	Micros int64
	Count
}

// Cell names one sum that a [Store] keeps: that of the entries of one period,
// group and currency.
type Cell struct {
	// Period is a month or a day, as an [Entry] has it.
	Period string
	// All says that the sum is over all tenants; then the Group's Tenant is
	// empty.
	All bool
	Group
	Currency string
}

// Change is what an entry changes in a [Cell].
type Change struct {
	Cell
	Micros int64
	Count
}

// Changes returns the changes of the sums when next replaces known, which is
// nil if there was none: at most one for each cell, and none that changes
// nothing.
func Changes(known *Entry, next Entry) []Change {
	most := 2
	if next.Day != "" {
		most = 4
	}
	if known == nil {
		return next.changes(make([]Change, 0, most), 1)
	}
	changes := known.changes(make([]Change, 0, 4+most), -1)
	changes = next.changes(changes, 1)
	kept := changes[:0]
	for _, c := range changes {
		if c.Micros != 0 || c.Count != (Count{}) {
			kept = append(kept, c)
		}
	}
	return kept
}

func (e *Entry) changes(to []Change, sign int64) []Change {
	for _, period := range [...]string{e.Month, e.Day} {
		if period == "" {
			continue
		}
		for _, all := range [...]bool{false, true} {
			cell := Cell{Period: period, All: all, Group: e.Group, Currency: e.Cost.Currency}
			if all {
				cell.Tenant = ""
			}
			to = add(to, Change{cell, sign * e.Cost.Micros, e.Count.times(sign)})
		}
	}
	return to
}

func add(to []Change, c Change) []Change {
	for i := range to {
		if to[i].Cell == c.Cell {
			to[i].Micros += c.Micros // of two entries: too small to overflow
			to[i].Count.add(c.Count)
			return to
		}
	}
	return append(to, c)
}

func (c Count) times(sign int64) Count {
	c.Messages *= sign
	c.Segments *= sign
	c.Invocations *= sign
	c.Time *= time.Duration(sign)
	return c
}
