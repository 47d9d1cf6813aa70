package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/handlers/cost"
)

// Sums implements [cost.Store].
func (s *costs) Sums(ctx context.Context, q cost.Query) (page cost.Page, err error) {
	q, after, later, err := q.Resolve()
	if err != nil {
		return page, err
	}
	err = s.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		query, args := sumsQuery(q, after, later)
		rows, err := pool.Query(ctx, s.store.config.sql(query), args...)
		if err != nil {
			return err
		}
		page.Sums, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (sum cost.Sum, err error) {
			err = row.Scan(&sum.Value, &sum.Currency, &sum.Micros, &sum.Messages, &sum.Segments, &sum.Invocations, (*int64)(&sum.Time))
			return sum, err
		})
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "22003" {
		err = cost.ErrOverflow
	}
	if err != nil {
		return cost.Page{}, fmt.Errorf("postgres: sum up costs: %w", err)
	}
	if len(page.Sums) > q.Limit {
		page.Sums = page.Sums[:q.Limit]
		page.Next = page.Sums[q.Limit-1].Position().Cursor()
	}
	if len(page.Sums) == 0 {
		page.Sums = nil
	}
	return page, nil
}

// sumsQuery finds the page's sums, and one more if there is one.
func sumsQuery(q cost.Query, after cost.Position, later bool) (query string, args []any) {
	value := "''::text collate \"C\""
	if q.By != "" {
		value = string(q.By) // one of the constants, which are the columns' names
	}
	var where []string
	and := func(set bool, condition string, values ...any) {
		if !set {
			return
		}
		for _, v := range values {
			if t, ok := v.(string); ok {
				v = text(t)
			}
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	and(true, "period = ?", q.Period)
	and(true, "every = ?", q.AllTenants && q.By != cost.ByTenant)
	and(!q.AllTenants, "tenant = ?", q.Tenant)
	and(q.Channel != "", "channel = ?", string(q.Channel))
	and(q.Category != "", "category = ?", q.Category)
	and(q.Provider != "", "provider = ?", q.Provider)
	and(q.Country != "", "country = ?", q.Country)
	and(q.Observer != "", "observer = ?", q.Observer)
	and(q.Event != "", "event = ?", q.Event)
	and(later, "("+value+", currency) > (?, ?)", after.Value, after.Currency)
	where = append(where, "not "+isDropped("$1::text")) // the period
	args = append(args, q.Limit+1)
	return fmt.Sprintf(`
select %[1]s as value, currency, sum(micros)::bigint, sum(messages)::bigint, sum(segments)::bigint, sum(invocations)::bigint, sum(nanoseconds)::bigint
from {s}.cost_sum where %[2]s group by value, currency
having sum(micros) <> 0 or sum(messages) <> 0 or sum(segments) <> 0 or sum(invocations) <> 0 or sum(nanoseconds) <> 0
order by value, currency limit $%[3]d`,
		value, strings.Join(where, " and "), len(args)), args
}

const howManySums, howManyEntries = "select count(*) from (select from {s}.cost_sum limit $1) c", "select count(*) from (select from {s}.cost_entry limit $1) c"

// countSums is about how many there are.
func (s *costs) countSums(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	if n, ok := s.sums.read(); ok && n < int64(s.store.config.MaxCostSums) {
		return n, nil
	}
	return s.store.look(ctx, &s.sums, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, s.store.config.sql(howManySums), s.store.config.MaxCostSums+maxExpired).Scan(&n)
		return n, err
	})
}
