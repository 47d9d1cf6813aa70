package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

// dropTogether is how many records more than needed are dropped at once, so that
// not every new one has to drop one.
const dropTogether = 100

// roomForRecord sees that there is room for a new record, or that it is not new. At
// the cap it drops those that have expired, or that wait for nothing, the soonest
// to expire first.
func (s *Store) roomForRecord(ctx context.Context, pool *pgxpool.Pool, id string) error {
	most := int64(s.config.MaxRecords)
	n, ok := s.records.read()
	if ok && n < most {
		return nil
	}
	n, err := s.look(ctx, &s.records, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, s.config.sql("select count(*) from (select from {s}.record limit $1) r"), most+maxDeletedAtOnce).Scan(&n)
		return n, err
	})
	if err != nil || n < most {
		return err
	}
	tag, err := pool.Exec(ctx, s.config.sql(`
delete from {s}.record where id in (
  select id from {s}.record where expires is not null and (due is null or expires < clock_timestamp())
  order by expires limit $1 for update skip locked
)`), n-most+1+min(dropTogether, most/100))
	s.records.add(-tag.RowsAffected())
	if err != nil || tag.RowsAffected() > n-most {
		return err
	}
	var exists bool
	err = pool.QueryRow(ctx, s.config.sql("select exists (select from {s}.record where id = $1)"), id).Scan(&exists)
	if err == nil && !exists {
		err = fmt.Errorf("%d records are kept already, which is Config.MaxRecords, and all of them wait for something: %w", most, backend.ErrOverloaded)
	}
	return err
}

// roomForDelayed sees that there is room for what is delayed among the messages.
func (b *Backend) roomForDelayed(ctx context.Context, pool *pgxpool.Pool, rows *publications) (later int64, err error) {
	now := time.Now()
	for _, at := range rows.ats {
		if at != nil && at.After(now) {
			later++
		}
	}
	if later == 0 {
		return 0, nil
	}
	most := int64(b.config.MaxDelayed)
	if n, ok := b.delays.gauge.read(); ok && n+later <= most {
		return later, nil
	}
	n, err := b.look(ctx, &b.delays.gauge, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, b.config.sql("select count(*) from (select from {s}.delayed limit $1) d"), most).Scan(&n)
		return n, err
	})
	if err == nil && n+later > most {
		err = fmt.Errorf("%d messages wait for their time already, and Config.MaxDelayed is %d: %w", n, most, backend.ErrOverloaded)
	}
	return later, err
}

// roomInOutbox sees that there is room for so many messages more.
func (s *Store) roomInOutbox(ctx context.Context, pool *pgxpool.Pool, more int64) error {
	most := int64(s.config.MaxOutbox)
	if n, ok := s.outbox.read(); ok && n+more <= most {
		return nil
	}
	n, err := s.look(ctx, &s.outbox, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, s.config.sql("select count(*) from (select from {s}.outbox limit $1) o"), most).Scan(&n)
		return n, err
	})
	if err == nil && n+more > most {
		err = fmt.Errorf("%d messages of the outbox are not forwarded, and Config.MaxOutbox is %d: see that Forward runs: %w", n, most, backend.ErrOverloaded)
	}
	return err
}
