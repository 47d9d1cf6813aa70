package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// Costs returns the store of what was spent, in the file:
//
//	n.Attach(cost.New(b.Costs(), book))
//
// Its caps are [Config.CostsFor], [Config.MaxCosts], [Config.CostSumsFor] and
// [Config.MaxCostSums].
func (b *Backend) Costs() cost.Store { return &costs{b} }

type costs struct{ backend *Backend }

// Put implements [cost.Store].
func (s *costs) Put(ctx context.Context, entries ...cost.Entry) (tooOld int, err error) {
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return 0, err
		}
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		err = opened.writer.do(ctx, 300*len(entries), func(t *tx) error {
			tooOld = 0 // of a try that was taken back
			for _, e := range entries {
				counted, err := t.putCost(e)
				if err != nil {
					return fmt.Errorf("count %q: %w", e.ID, err)
				}
				if !counted {
					tooOld++
				}
			}
			return nil
		})
	}
	if err != nil {
		return 0, fmt.Errorf("sqlite: %w", err)
	}
	return tooOld, nil
}

const costColumns = `id, notification, tenant, channel, category, provider, country, observer, event, month, day, at,
	messages, segments, invocations, nanoseconds, facts, told_by, micros, currency, source, priced_at, priced_by`

func costValues(e cost.Entry) []any {
	return []any{
		e.ID, e.NotificationID, e.Tenant, string(e.Channel), e.Category, e.Provider, e.Country, e.Observer, e.Event, e.Month, e.Day, text(e.At),
		e.Messages, e.Segments, e.Invocations, int64(e.Time), e.Facts, e.By, e.Cost.Micros, e.Cost.Currency, int64(e.Source), text(e.PricedAt), e.PricedBy,
	}
}

func scanCost(scan func(...any) error) (e cost.Entry, err error) {
	var at, pricedAt sql.NullString
	err = scan(
		&e.ID, &e.NotificationID, &e.Tenant, &e.Channel, &e.Category, &e.Provider, &e.Country, &e.Observer, &e.Event, &e.Month, &e.Day, &at,
		&e.Messages, &e.Segments, &e.Invocations, &e.Time, &e.Facts, &e.By, &e.Cost.Micros, &e.Cost.Currency, &e.Source, &pricedAt, &e.PricedBy,
	)
	e.At, e.PricedAt = moment(at), moment(pricedAt)
	return e, err
}

// putCost joins the entry with what is known of it. It tells whether it counts:
// one that may have been forgotten does not.
func (t *tx) putCost(e cost.Entry) (counts bool, err error) {
	e.At, e.PricedAt = e.At.UTC().Truncate(time.Microsecond), e.PricedAt.UTC().Truncate(time.Microsecond)
	forgotten := t.store.costsForgotten
	if text(e.At) > forgotten && (e.Facts > 0 || forgotten == "") {
		n, err := t.exec("INSERT INTO cost_entries ("+costColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			costValues(e)...)
		if err != nil {
			return false, err
		}
		if n > 0 {
			t.count(&t.store.costs, 1)
			return true, t.changeCosts(cost.Changes(nil, e))
		}
	}
	known, err := t.cost(e.ID)
	if isNoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	joined := e.Join(known)
	if joined == known {
		return true, nil
	}
	if _, err := t.exec("REPLACE INTO cost_entries ("+costColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		costValues(joined)...); err != nil {
		return false, err
	}
	return true, t.changeCosts(cost.Changes(&known, joined))
}

func (t *tx) cost(id string) (e cost.Entry, err error) {
	err = sql.ErrNoRows
	failed := t.each("SELECT "+costColumns+" FROM cost_entries WHERE id = ?", []any{id}, func(scan func(...any) error) (bool, error) {
		e, err = scanCost(scan)
		return false, err
	})
	if failed != nil {
		err = failed
	}
	return e, err
}

const ofCostCell = ` WHERE period = ? AND every = ? AND tenant = ? AND channel = ? AND category = ? AND provider = ?
	AND country = ? AND observer = ? AND event = ? AND currency = ?`

// changeCosts changes the sums, but for those that were deleted.
func (t *tx) changeCosts(changes []cost.Change) error {
	for _, c := range changes {
		if t.store.costsDropped.has(c.Period) {
			continue
		}
		cell := []any{c.Period, c.All, c.Tenant, string(c.Channel), c.Category, c.Provider, c.Country, c.Observer, c.Event, c.Currency}
		by := []any{c.Micros, c.Messages, c.Segments, c.Invocations, int64(c.Time)}
		n, err := t.exec(`UPDATE cost_sums SET micros = micros + ?, messages = messages + ?, segments = segments + ?,
			invocations = invocations + ?, nanoseconds = nanoseconds + ?`+ofCostCell, append(by, cell...)...)
		switch {
		case hasCode(err, lib.SQLITE_CONSTRAINT):
			return cost.ErrOverflow // the sum is no integer any more
		case err != nil:
			return err
		case n == 0 && c.Messages <= 0 && c.Invocations <= 0: // of a sum that was deleted before that was noted
		case n == 0 && t.store.costSums >= t.store.config.MaxCostSums:
			return fmt.Errorf("%w: there are %d sums, its Config.MaxCostSums", notify.ErrOverloaded, t.store.costSums)
		case n == 0:
			t.count(&t.store.costSums, 1)
			_, err = t.exec("INSERT INTO cost_sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", append(cell, by...)...)
		case c.Messages < 0 || c.Invocations < 0:
			n, err = t.exec("DELETE FROM cost_sums"+ofCostCell+
				" AND micros = 0 AND messages = 0 AND segments = 0 AND invocations = 0 AND nanoseconds = 0", cell...)
			t.count(&t.store.costSums, -int(n))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Entries implements [cost.Store].
func (s *costs) Entries(ctx context.Context, notificationID string) (found []cost.Entry, err error) {
	if notificationID == "" {
		return nil, nil
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		err = opened.reads.each(ctx, "SELECT "+costColumns+" FROM cost_entries WHERE notification = ? AND notification <> '' ORDER BY id", []any{notificationID},
			func(scan func(...any) error) (bool, error) {
				e, err := scanCost(scan)
				found = append(found, e)
				return true, err
			})
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: costs of notification %q: %w", notificationID, err)
	}
	return found, nil
}
