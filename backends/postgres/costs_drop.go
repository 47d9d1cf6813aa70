package postgres

import (
	"cmp"
	"context"
	"time"

	"github.com/jackc/pgx/v5"
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
	about, err := s.countSums(ctx, pool)
	for err == nil && gone < maxExpired {
		mayBeFull := about-gone+cellsOfEntry > int64(s.store.config.MaxCostSums)
		var deleted int64
		var goesOn bool
		err = s.store.config.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
			deleted, goesOn, err = s.dropSums(ctx, tx, now, mayBeFull, maxExpired-gone)
			return err
		})
		if err != nil || !goesOn {
			break
		}
		gone += deleted
		s.sums.add(-deleted)
	}
	return gone, err
}

// dropSums deletes some sums of the period that goes first. One that does not go
// yet is noted, and deleted the next time: then all who put know of it.
func (s *costs) dropSums(ctx context.Context, tx pgx.Tx, now time.Time, mayBeFull bool, most int64) (deleted int64, goesOn bool, err error) {
	if mine, err := s.turn(ctx, tx); err != nil || !mine {
		return 0, false, err
	}
	c := s.store.config
	var n int64
	if mayBeFull {
		if err := tx.QueryRow(ctx, c.sql(howManySums), c.MaxCostSums+maxExpired).Scan(&n); err != nil {
			return 0, false, err
		}
	}
	list := func(query string) (all []string) {
		if err == nil {
			var rows pgx.Rows
			if rows, err = tx.Query(ctx, c.sql(query)); err == nil {
				all, err = pgx.CollectRows(rows, pgx.RowTo[string])
			}
		}
		return all
	}
	begun := droppedOf(list(droppedPeriods))
	days, months := byKind(list(costPeriods))
	if err != nil {
		return 0, false, err
	}
	next := func(periods []string, layout string, keptFor time.Duration) string {
		if len(periods) == 0 {
			return ""
		}
		oldest, current := now.Add(-keptFor).UTC().Format(layout), now.Add(-24*time.Hour).UTC().Format(layout)
		isSurplus := n+cellsOfEntry > int64(c.MaxCostSums) && len(periods) > 1 && periods[0] < current
		if isSurplus || periods[0] < oldest || begun.has(periods[0]) {
			return periods[0]
		}
		return ""
	}
	period := cmp.Or(next(days, dayLayout, c.CostsFor), next(months, monthLayout, c.CostSumsFor))
	switch {
	case period == "":
		return 0, false, nil
	case begun.has(period):
		tag, err := tx.Exec(ctx, c.sql(deleteSums), period, most)
		return tag.RowsAffected(), true, err
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", s.lock); err != nil {
		return 0, false, err
	}
	for _, statement := range markDropped {
		if _, err := tx.Exec(ctx, c.sql(statement), period); err != nil {
			return 0, false, err
		}
	}
	return 0, true, nil
}

func byKind(periods []string) (days, months []string) {
	for _, period := range periods {
		if len(period) == len(dayLayout) {
			days = append(days, period)
		} else {
			months = append(months, period)
		}
	}
	return days, months
}
