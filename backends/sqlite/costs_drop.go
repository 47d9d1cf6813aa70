package sqlite

import (
	"context"
	"time"
)

// costsDropped are the latest month and the latest day whose sums were deleted.
// Up to there none is kept: it would be of a part only. In the file each is a row
// of cost_sums without a period, which has it as its tenant.
type costsDropped struct{ month, day string }

func (d *costsDropped) of(period string) *string {
	if len(period) == len(dayLayout) {
		return &d.day
	}
	return &d.month
}

func (d *costsDropped) has(period string) bool { return period <= *d.of(period) }

const (
	monthLayout = "2006-01"
	dayLayout   = "2006-01-02"
)

func (s *store) loadCostsDropped() error {
	return s.reads.each(context.Background(), "SELECT tenant FROM cost_sums WHERE period = ''", nil, func(scan func(...any) error) (bool, error) {
		var period string
		err := scan(&period)
		*s.costsDropped.of(period) = max(period, *s.costsDropped.of(period))
		return true, err
	})
}

// costPeriods finds each period by a look-up in the primary key, not by going
// through its sums.
const costPeriods = `SELECT period FROM (WITH RECURSIVE p (period) AS (
	SELECT min(period) FROM cost_sums WHERE period > ''
	UNION ALL SELECT (SELECT min(period) FROM cost_sums WHERE period > p.period) FROM p WHERE period IS NOT NULL
) SELECT period FROM p WHERE period IS NOT NULL)`

// cellsOfEntry is how many sums an entry has, at most.
const cellsOfEntry = 4

// expireCostSums deletes the next sums of periods that are over for too long, or
// that are too many: days first, and nothing of the latest month or day, nor of
// one that is not over everywhere.
func (t *tx) expireCostSums(now time.Time) (n int, err error) {
	var days, months []string
	if err := t.each(costPeriods, nil, func(scan func(...any) error) (bool, error) {
		var period string
		if err := scan(&period); err != nil {
			return false, err
		}
		if len(period) == len(dayLayout) {
			days = append(days, period)
		} else {
			months = append(months, period)
		}
		return true, nil
	}); err != nil {
		return 0, err
	}
	c := t.store.config
	for _, kind := range []struct {
		periods []string
		layout  string
		keptFor time.Duration
	}{{days, dayLayout, c.CostsFor}, {months, monthLayout, c.CostSumsFor}} {
		oldest, current := now.Add(-kind.keptFor).UTC().Format(kind.layout), now.Add(-24*time.Hour).UTC().Format(kind.layout)
		for i, period := range kind.periods {
			isSurplus := t.store.costSums+cellsOfEntry > c.MaxCostSums && i < len(kind.periods)-1 && period < current
			if n == drops || !isSurplus && period >= oldest && !t.store.costsDropped.has(period) {
				break
			}
			deleted, err := t.dropCostSums(period, drops-n)
			if err != nil {
				return 0, err
			}
			n += deleted
		}
	}
	return n, nil
}

// dropCostSums deletes so many sums of a period, none of which is shown any more.
func (t *tx) dropCostSums(period string, most int) (deleted int, err error) {
	if last := t.store.costsDropped.of(period); *last < period {
		before := *last
		if _, err := t.exec("DELETE FROM cost_sums WHERE period = '' AND tenant = ?", before); err != nil {
			return 0, err
		}
		if _, err := t.exec("INSERT INTO cost_sums VALUES ('', 0, ?, '', '', '', '', '', '', '', 0, 0, 0, 0, 0)", period); err != nil {
			return 0, err
		}
		if before == "" {
			t.count(&t.store.costSums, 1)
		}
		*last = period
		t.onUndo(func() { *last = before })
	}
	n, err := t.exec(`DELETE FROM cost_sums WHERE (period, every, tenant, channel, category, provider, country, observer, event, currency) IN
		(SELECT period, every, tenant, channel, category, provider, country, observer, event, currency FROM cost_sums WHERE period = ? LIMIT ?)`, period, most)
	t.count(&t.store.costSums, -int(n))
	return int(n), err
}
