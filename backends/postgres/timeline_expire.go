package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// expire deletes, now and then, what is too old or too much: a step at each use, so
// that none has to wait for all of it.
func (t *timelines) expire(ctx context.Context, pool *pgxpool.Pool) error {
	t.mu.Lock()
	now := time.Now()
	due := now.Sub(t.expired) >= time.Minute
	if due {
		t.expired = now
	}
	t.mu.Unlock()
	if !due {
		return nil
	}
	more := false
	var err error
	for _, step := range []func(context.Context, *pgxpool.Pool) (int64, error){t.expireEntries, t.forgetErased, t.expireContents} {
		var gone int64
		if gone, err = step(ctx, pool); err != nil {
			break
		}
		more = more || gone >= maxDeletedAtOnce
	}
	if more || err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.expired = time.Time{}
	}
	return err
}

// expireEntries deletes the next notifications that are too old or too many, and
// returns how many.
func (t *timelines) expireEntries(ctx context.Context, pool *pgxpool.Pool) (gone int64, err error) {
	counting := t.store.config.sql("select count(*) from (select from {s}.timeline limit $1) t")
	kept := int64(t.store.config.MaxTimeline)
	n, err := t.store.look(ctx, &t.gauge, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, counting, kept+maxDeletedAtOnce).Scan(&n)
		return n, err
	})
	if err != nil {
		return 0, err
	}
	err = t.alone(ctx, pool, "entries", func(tx pgx.Tx) error {
		if n > kept { // or was, before others deleted some
			if err := tx.QueryRow(ctx, counting, kept+maxDeletedAtOnce).Scan(&n); err != nil {
				return err
			}
		}
		tag, err := tx.Exec(ctx, t.store.config.sql(`
delete from {s}.timeline where id in (
  select id from {s}.timeline where at < clock_timestamp() - make_interval(secs => $1) order by at limit $2 for update skip locked
) or id in (select id from {s}.timeline order by at limit $3 for update skip locked)`),
			t.store.config.TimelineFor.Seconds(), maxDeletedAtOnce, max(n-kept, 0))
		gone = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, err
	}
	if n < kept+maxDeletedAtOnce { // else there may be more than were counted
		t.gauge.add(-gone)
	}
	return gone, nil
}

// expireContents deletes the next contents that are too old, or more than the
// timeline may have notifications, and returns how many.
func (t *timelines) expireContents(ctx context.Context, pool *pgxpool.Pool) (gone int64, err error) {
	err = t.alone(ctx, pool, "contents", func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, t.store.config.sql(`
delete from {s}.timeline_content where (notification, leg) in (
  select notification, leg from {s}.timeline_content where at < clock_timestamp() - make_interval(secs => $1)
  order by at limit $3 for update skip locked
) or (notification, leg) in (
  select notification, leg from {s}.timeline_content order by at
  limit greatest((select count(*) from (select from {s}.timeline_content limit $2::bigint + $3) t) - $2::bigint, 0)
  for update skip locked
)`), t.store.config.TimelineFor.Seconds(), t.store.config.MaxTimeline, maxDeletedAtOnce)
		gone = tag.RowsAffected()
		return err
	})
	return gone, err
}

// forgetErased forgets what was erased longer ago than the timeline keeps, or is
// more than it keeps, and returns how much.
func (t *timelines) forgetErased(ctx context.Context, pool *pgxpool.Pool) (gone int64, err error) {
	tag, err := pool.Exec(ctx, t.store.config.sql(`
delete from {s}.timeline_erased where (what, name) in (
  select what, name from {s}.timeline_erased where at < clock_timestamp() - make_interval(secs => $1) order by at limit $3
) or (what, name) in (select what, name from {s}.timeline_erased order by at desc offset $2 limit $3)`),
		t.store.config.TimelineFor.Seconds(), t.store.config.MaxTimeline, maxDeletedAtOnce)
	return tag.RowsAffected(), err
}

// alone does f in a transaction, unless another process is at it: what two count as
// too much, both would delete.
func (t *timelines) alone(ctx context.Context, pool *pgxpool.Pool, what string, f func(tx pgx.Tx) error) error {
	return t.store.config.transaction(ctx, pool, func(tx pgx.Tx) error {
		var mine bool
		err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", t.lockOf(what)).Scan(&mine)
		if err != nil || !mine {
			return err
		}
		return f(tx)
	})
}
