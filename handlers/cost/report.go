package cost

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Report is what was spent in a month.
type Report struct {
	Month string
	// From and Until are its bounds, and At the time of the report.
	From, Until, At time.Time
	Lines           []Line
	// Next is as in [Page].
	Next string
}

// Line is a sum, and its projection to the month's end.
type Line struct {
	Sum
	// Projected is what Micros will be at the month's end if spending goes on as
	// it did from the month's beginning to the time of the report: in proportion
	// to the time, to the nearest millionth, and at most what an int64 holds. For
	// a month that is over, or has not begun, it is Micros.
	Projected int64
}

// Month returns what was spent in a month, by default the current one, with
// projections to its end. What is wrong with the query is reported as
// [notify.FieldError].
func (l *Ledger) Month(ctx context.Context, q Query) (Report, error) {
	now := time.Now()
	if q.Period == "" {
		q.Period = now.In(l.config.Location).Format(monthLayout)
	}
	month, err := time.Parse(monthLayout, q.Period)
	if err != nil {
		q.Period = now.Format(monthLayout)
		_, _, _, others := q.Resolve()
		return Report{}, errors.Join(&notify.FieldError{Field: "Query.Period", Problem: `must be a month, such as "2026-03", or empty`}, others)
	}
	from := begin(month.Year(), month.Month(), 1, l.config.Location)
	page, err := l.Sums(ctx, q)
	if err != nil {
		return Report{}, err
	}
	r := Report{Month: q.Period, From: from, Until: periodEnd(from, l.config.Location, false), At: now, Next: page.Next}
	for _, sum := range page.Sums {
		r.Lines = append(r.Lines, Line{sum, r.project(sum.Micros)})
	}
	return r, nil
}

func (r *Report) project(micros int64) int64 {
	if !r.At.After(r.From) || !r.At.Before(r.Until) {
		return micros
	}
	elapsed, whole := big.NewInt(int64(r.At.Sub(r.From))), big.NewInt(int64(r.Until.Sub(r.From)))
	var n, half big.Int
	n.Mul(big.NewInt(micros), whole)
	n.Add(&n, half.Rsh(elapsed, 1))
	n.Quo(&n, elapsed)
	if !n.IsInt64() {
		return 1<<63 - 1
	}
	return n.Int64()
}

// Sums returns what was spent in a month, or a day. What is wrong with the query
// is reported as [notify.FieldError].
func (l *Ledger) Sums(ctx context.Context, q Query) (Page, error) {
	if _, _, _, err := q.Resolve(); err != nil {
		return Page{}, err
	}
	page, err := l.store.Sums(ctx, q)
	if err != nil {
		return Page{}, fmt.Errorf("cost: sum up %s: %w", q.Period, err)
	}
	return page, nil
}

// Notification returns what a notification's messages cost, each by itself, as
// far as the store has not forgotten it.
func (l *Ledger) Notification(ctx context.Context, id string) ([]Entry, error) {
	entries, err := l.store.Entries(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("cost: look for notification %q: %w", id, err)
	}
	return entries, nil
}

// Correct sets what an entry of a notification cost, for example by an invoice:
// from then on only another Correct changes it. The error wraps
// [notify.ErrNotFound] if the store does not know the entry.
func (l *Ledger) Correct(ctx context.Context, notificationID, entryID string, c notify.Cost) error {
	if !said(c) {
		return errors.Join(&notify.FieldError{Field: "Cost", Problem: fmt.Sprintf("must have a currency, and from 0 to %d millionths", int64(maxMicros))})
	}
	entries, err := l.Notification(ctx, notificationID)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.ID == entryID {
			at := moments(time.Now())
			if e.Source == ByHost && !at.After(e.PricedAt) {
				at = e.PricedAt.Add(time.Microsecond) // the clock has gone back
			}
			e.Cost, e.Source, e.PricedAt, e.PricedBy = c, ByHost, at, ""
			forgotten, err := l.store.Put(ctx, e)
			switch {
			case err != nil:
				return fmt.Errorf("cost: correct entry %q: %w", entryID, err)
			case forgotten > 0: // just now
				return fmt.Errorf("cost: correct entry %q: %w", entryID, notify.ErrNotFound)
			}
			return nil
		}
	}
	return fmt.Errorf("cost: correct entry %q: %w", entryID, notify.ErrNotFound)
}
