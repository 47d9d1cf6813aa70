package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/handlers/cost"
)

// The latest month and the latest day whose sums were deleted are rows of cost_sum
// without a period, which have it as their tenant. Up to there none is kept: it
// would be of a part only.

const (
	monthLayout = "2006-01"
	dayLayout   = "2006-01-02"
)

// isDropped is the condition that sums of the period were deleted.
func isDropped(period string) string {
	return "exists (select from {s}.cost_sum d where d.period = '' and length(d.tenant) = length(" + period + ") and d.tenant >= " + period + ")"
}

// costPeriods finds each period by a look-up in the primary key, not by going
// through its sums.
const costPeriods = `
with recursive p (period) as (
  select min(period) from {s}.cost_sum where period > ''
  union all select (select min(s.period) from {s}.cost_sum s where s.period > p.period) from p where p.period is not null
) select period from p where period is not null`

// markDropped notes that sums of a period are deleted.
var markDropped = []string{
	"insert into {s}.cost_sum select '', false, $1::text, '', '', '', '', '', '', '', 0, 0, 0, 0, 0, 0 where not " + isDropped("$1::text"),
	"delete from {s}.cost_sum where period = '' and length(tenant) = length($1::text) and tenant < $1::text",
}

const deleteSums = "delete from {s}.cost_sum where ctid = any(array(select ctid from {s}.cost_sum where period = $1 limit $2))"

// dropped are the latest periods whose sums were deleted.
type dropped struct{ month, day string }

func droppedOf(periods []string) (d dropped) {
	for _, period := range periods {
		if len(period) == len(dayLayout) {
			d.day = max(d.day, period)
		} else {
			d.month = max(d.month, period)
		}
	}
	return d
}

func (d dropped) has(period string) bool {
	if len(period) == len(dayLayout) {
		return period <= d.day
	}
	return period <= d.month
}

func without(changes []cost.Change, d dropped) (kept []cost.Change) {
	for _, c := range changes {
		if !d.has(c.Period) {
			kept = append(kept, c)
		}
	}
	return kept
}

const droppedPeriods = "select tenant from {s}.cost_sum where period = ''"

// forgetSums deletes those of periods that are over for too long, and when there
// are too many the oldest days and then months, but nothing of the latest of
// either, nor of one that is not over everywhere.
func (s *costs) forgetSums(ctx context.Context, pool *pgxpool.Pool, now time.Time) (gone int64, err error) {
	n, err := s.countSums(ctx, pool)
	if err != nil {
		return 0, err
	}
	list := func(query string) (all []string) {
		if err == nil {
			var rows pgx.Rows
			if rows, err = pool.Query(ctx, s.store.config.sql(query)); err == nil {
				all, err = pgx.CollectRows(rows, pgx.RowTo[string])
			}
		}
		return all
	}
	begun := droppedOf(list(droppedPeriods))
	var days, months []string
	for _, period := range list(costPeriods) {
		if len(period) == len(dayLayout) {
			days = append(days, period)
		} else {
			months = append(months, period)
		}
	}
	if err != nil {
		return 0, err
	}
	c := s.store.config
	for _, kind := range []struct {
		periods []string
		layout  string
		keptFor time.Duration
	}{{days, dayLayout, c.CostsFor}, {months, monthLayout, c.CostSumsFor}} {
		oldest, current := now.Add(-kind.keptFor).UTC().Format(kind.layout), now.Add(-24*time.Hour).UTC().Format(kind.layout)
		for i, period := range kind.periods {
			isSurplus := n-gone+cellsOfEntry > int64(c.MaxCostSums) && i < len(kind.periods)-1 && period < current
			if gone >= maxExpired || !isSurplus && period >= oldest && !begun.has(period) {
				break
			}
			deleted, err := s.dropSums(ctx, pool, period, begun.has(period), maxExpired-gone)
			gone += deleted
			s.sums.add(-deleted)
			if err != nil {
				return gone, err
			}
		}
	}
	return gone, nil
}

// dropSums deletes so many sums of a period, none of which is shown any more. That
// they are deleted is known to all who put before one of them is.
func (s *costs) dropSums(ctx context.Context, pool *pgxpool.Pool, period string, begun bool, most int64) (deleted int64, err error) {
	c := s.store.config
	if !begun {
		if err := c.transaction(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", s.lock); err != nil {
				return err
			}
			for _, statement := range markDropped {
				if _, err := tx.Exec(ctx, c.sql(statement), period); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return 0, err
		}
	}
	var tag pgconn.CommandTag
	err = c.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
		tag, err = tx.Exec(ctx, c.sql(deleteSums), period, most)
		return err
	})
	return tag.RowsAffected(), err
}
