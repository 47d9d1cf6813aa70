package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cellsOfEntry is how many sums an entry has, at most.
const cellsOfEntry = 4

// maxExpired bounds what is deleted at once.
const maxExpired = 10_000

// expire deletes, now and then, what is too old or too much.
func (s *costs) expire(ctx context.Context, pool *pgxpool.Pool) error {
	s.mu.Lock()
	now := time.Now()
	due := now.Sub(s.expired) >= time.Minute
	if due {
		s.expired = now
	}
	s.mu.Unlock()
	if !due {
		return nil
	}
	kept := int64(s.store.config.MaxCosts)
	about, err := s.store.look(ctx, &s.entries, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, s.store.config.sql(howManyEntries), kept+maxExpired).Scan(&n)
		return n, err
	})
	var gone int64
	if err == nil {
		err = s.store.config.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
			gone, err = s.forget(ctx, tx, about > kept)
			return err
		})
	}
	if err == nil {
		s.entries.add(-gone)
	}
	if err == nil {
		var sums int64
		sums, err = s.forgetSums(ctx, pool, now)
		gone = max(gone, sums)
	}
	if gone >= maxExpired && err == nil { // there is more
		s.mu.Lock()
		defer s.mu.Unlock()
		s.expired = time.Time{}
	}
	return err
}

// turn tells whether nobody else is deleting what is too much, until the
// transaction ends: two that do would each delete the whole of it.
func (s *costs) turn(ctx context.Context, tx pgx.Tx) (mine bool, err error) {
	err = tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", s.sweep).Scan(&mine)
	return mine, err
}

// deleteEntries finds them by their time, and then by their IDs: others wait for the
// lock until it is done.
const deleteEntries = `
with gone as (
  delete from {s}.cost_entry where id = any(array(
    (select id from {s}.cost_entry where at < statement_timestamp() - make_interval(secs => $1) order by at limit $2)
    union all (select id from {s}.cost_entry order by at limit $3)
  )) returning at
) select count(*), max(at) from gone`

// forget deletes entries that are too old, and of the oldest what is too much, if
// it may be.
func (s *costs) forget(ctx context.Context, tx pgx.Tx, mayBeFull bool) (gone int64, err error) {
	if mine, err := s.turn(ctx, tx); err != nil || !mine {
		return 0, err
	}
	var surplus int64
	if kept := int64(s.store.config.MaxCosts); mayBeFull {
		if err := tx.QueryRow(ctx, s.store.config.sql(howManyEntries), kept+maxExpired).Scan(&surplus); err != nil {
			return 0, err
		}
		surplus = max(surplus-kept, 0)
	}
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", s.lock); err != nil {
		return 0, err
	}
	var last *time.Time
	err = tx.QueryRow(ctx, s.store.config.sql(deleteEntries), s.store.config.CostsFor.Seconds(), maxExpired, surplus).Scan(&gone, &last)
	if err != nil || gone == 0 {
		return 0, err
	}
	_, err = tx.Exec(ctx, s.store.config.sql(`
insert into {s}.cost_forgotten as f values (true, $1) on conflict (one) do update set at = greatest(f.at, excluded.at)`), *last)
	return gone, err
}
