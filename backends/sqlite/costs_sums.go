package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/seed-6c01d079/notify/handlers/cost"
)

// Sums implements [cost.Store].
func (s *costs) Sums(ctx context.Context, q cost.Query) (page cost.Page, err error) {
	q, after, later, err := q.Resolve()
	if err != nil {
		return page, err
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		query, args := sumsQuery(q, after, later)
		err = opened.reads.each(ctx, query, args, func(scan func(...any) error) (bool, error) {
			if len(page.Sums) == q.Limit {
				page.Next = page.Sums[q.Limit-1].Position().Cursor()
				return false, nil
			}
			var sum cost.Sum
			err := scan(&sum.Value, &sum.Currency, &sum.Micros, &sum.Messages, &sum.Segments, &sum.Invocations, &sum.Time)
			page.Sums = append(page.Sums, sum)
			return true, err
		})
	}
	if hasCode(err, lib.SQLITE_ERROR) && strings.Contains(err.Error(), "integer overflow") {
		err = cost.ErrOverflow
	}
	if err != nil {
		return cost.Page{}, fmt.Errorf("sqlite: sum up costs: %w", err)
	}
	return page, nil
}

// sumsQuery finds the page's sums, and one more if there is one.
func sumsQuery(q cost.Query, after cost.Position, later bool) (query string, args []any) {
	value := "''"
	if q.By != "" {
		value = string(q.By) // one of the constants, which are the columns' names
	}
	where := []string{"period = ?", "every = ?"}
	args = []any{q.Period, q.AllTenants && q.By != cost.ByTenant}
	and := func(set bool, condition string, values ...any) {
		if set {
			where = append(where, condition)
			args = append(args, values...)
		}
	}
	and(!q.AllTenants, "tenant = ?", q.Tenant)
	and(q.Channel != "", "channel = ?", string(q.Channel))
	and(q.Category != "", "category = ?", q.Category)
	and(q.Provider != "", "provider = ?", q.Provider)
	and(q.Country != "", "country = ?", q.Country)
	and(q.Observer != "", "observer = ?", q.Observer)
	and(q.Event != "", "event = ?", q.Event)
	and(later, "("+value+", currency) > (?, ?)", after.Value, after.Currency)
	and(true, "NOT EXISTS (SELECT 1 FROM cost_sums d WHERE d.period = '' AND length(d.tenant) = length(?) AND d.tenant >= ?)", q.Period, q.Period)
	return "SELECT " + value + ", currency, sum(micros), sum(messages), sum(segments), sum(invocations), sum(nanoseconds) FROM cost_sums WHERE " +
		strings.Join(where, " AND ") + " GROUP BY " + value + ", currency ORDER BY " + value + ", currency LIMIT ?", append(args, q.Limit+1)
}

// expireCosts deletes the next entries that are too old or too many, and returns
// how many.
func (t *tx) expireCosts(now time.Time) (int, error) {
	c := t.store.config
	tooOld, surplus, n := text(now.Add(-c.CostsFor)), t.store.costs-c.MaxCosts, 0
	last := t.store.costsForgotten
	if err := t.each("SELECT at FROM cost_entries ORDER BY at LIMIT ?", []any{drops}, func(scan func(...any) error) (bool, error) {
		var at string
		if err := scan(&at); err != nil {
			return false, err
		}
		if at >= tooOld && n >= surplus {
			return false, nil
		}
		last = max(last, at)
		n++
		return true, nil
	}); err != nil || n == 0 {
		return 0, err
	}
	deleted, err := t.exec("DELETE FROM cost_entries WHERE rowid IN (SELECT rowid FROM cost_entries ORDER BY at LIMIT ?)", n)
	if err != nil {
		return 0, err
	}
	t.count(&t.store.costs, -int(deleted))
	before := t.store.costsForgotten
	t.store.costsForgotten = last
	t.onUndo(func() { t.store.costsForgotten = before })
	_, err = t.exec("REPLACE INTO cost_forgotten VALUES (1, ?)", last)
	return int(deleted), err
}
