package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Due implements [backend.Records].
func (b *Backend) Due(ctx context.Context, now time.Time, limit int) (ids []string, next time.Time, err error) {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		limit = max(limit, 0)
		err = s.reads.each(context.WithoutCancel(ctx), "SELECT id, due FROM records WHERE due IS NOT NULL ORDER BY due LIMIT ?", []any{limit + 1},
			func(scan func(...any) error) (bool, error) {
				var id string
				var due sql.NullString
				if err := scan(&id, &due); err != nil {
					return false, err
				}
				if next = moment(due); next.After(now) || len(ids) == limit {
					return false, nil
				}
				ids, next = append(ids, id), time.Time{}
				return true, nil
			})
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("sqlite: find due records: %w", err)
	}
	return ids, next, nil
}

// expires is how many records are deleted in one transaction.
const expires = 256

// Expire implements [backend.Records].
func (b *Backend) Expire(ctx context.Context, now time.Time, limit int) (n int, err error) {
	s, err := b.enter(ctx)
	if err != nil {
		return 0, fmt.Errorf("sqlite: expire records: %w", err)
	}
	defer b.leave()
	for n < limit {
		some := min(limit-n, expires)
		var before, after int
		err := s.do(ctx, func(t *tx) error {
			before = t.store.records
			err := t.expire(text(now), some)
			after = t.store.records
			return err
		})
		if err != nil {
			return n, fmt.Errorf("sqlite: expire records: %w", err)
		}
		n += before - after
		if before-after < some {
			break
		}
	}
	return n, nil
}

// expire deletes up to limit records that expired before now.
func (t *tx) expire(now string, limit int) error {
	_, err := t.dropRecords(`WHERE id IN (SELECT id FROM records
		WHERE expires IS NOT NULL AND expires < ? ORDER BY expires LIMIT ?)`, now, limit)
	return err
}

// dropRecords deletes records with their aliases, and returns how many.
func (t *tx) dropRecords(where string, args ...any) (n int, err error) {
	err = t.each("DELETE FROM records "+where+" RETURNING id", args, func(scan func(...any) error) (bool, error) {
		var id string
		err := scan(&id)
		t.store.bodies.drop(id) // at once: who comes next may have the same revision
		n++
		return true, err
	})
	t.count(&t.store.records, -n)
	return n, err
}
