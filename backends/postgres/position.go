package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

var errNoPosition = fmt.Errorf("the group has no position: %w", backend.ErrNotFound)

// Fix implements [backend.Positioner]. The time of backend.FromTime is compared
// with the database's clock.
func (b *Backend) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	err := checkGroup(topic, group)
	if err == nil {
		err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error { return b.fix(ctx, pool, topic, group, from) })
	}
	if err != nil {
		return fmt.Errorf("postgres: fix the position of %s in %s: %w", group, topic, err)
	}
	return nil
}

// fixPosition remembers the snapshot, and thereby exactly what was committed
// before. The place to read from is only where nothing before can be needed.
const fixPosition = `
with c as (
  insert into {s}.consumer (topic, name, began, since)
  select $1, $2, case when not $3 then pg_current_snapshot() end, $4
  on conflict do nothing returning began, since
)
insert into {s}.position (topic, consumer, partition, xid, seq)
select $1, $2, p, coalesce(f.xid, pg_snapshot_xmin(c.began), '0'), coalesce(f.seq - 1, 0)
from c cross join generate_series(0, $5::int - 1) p
left join lateral (
  select m.xid, m.seq from {s}.message m
  where m.topic = $1 and m.partition = p and m.at >= c.since and m.xid < pg_snapshot_xmin(c.began)
  order by m.xid, m.seq limit 1
) f on true`

func (b *Backend) fix(ctx context.Context, q querier, topic, group string, from backend.Start) error {
	var since *time.Time
	if t := from.Time(); !t.IsZero() && !from.Oldest() {
		since = timestamp(t)
	}
	_, err := q.Exec(ctx, b.config.sql(fixPosition), topic, group, from.Oldest(), since, b.partitions)
	return err
}

// Rename implements [backend.Positioner]. Members that consume under the old
// name get nothing more.
func (b *Backend) Rename(ctx context.Context, topic, from, to string) error {
	err := errors.Join(checkGroup(topic, from), checkName("group", to))
	if err == nil {
		err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			err := again(func() error {
				_, err := pool.Exec(ctx, b.config.sql(`
update {s}.consumer set name = $3 where topic = $1 and name = $2
and not exists (select from {s}.consumer where topic = $1 and name = $3)`), topic, from, to)
				return err
			})
			var refused *pgconn.PgError
			if errors.As(err, &refused) && refused.Code == "23505" { // it has come to be meanwhile
				return nil
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("postgres: rename %s in %s: %w", from, topic, err)
	}
	b.waker.wake(kindLeases, topic)
	return nil
}

// Forget implements [backend.Positioner]. Members that consume get nothing
// more; whoever consumes next starts a new group.
func (b *Backend) Forget(ctx context.Context, topic, group string) error {
	err := checkGroup(topic, group)
	if err == nil {
		err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			return again(func() error {
				_, err := pool.Exec(ctx, b.config.sql("delete from {s}.consumer where topic = $1 and name = $2"), topic, group)
				return err
			})
		})
	}
	if err != nil {
		return fmt.Errorf("postgres: forget %s in %s: %w", group, topic, err)
	}
	b.waker.wake(kindLeases, topic)
	b.progress.tell() // what it had not finished counts no longer
	return nil
}

// unread are the messages of a topic that a consumer c, at its position p, has
// still to pass.
const unread = `
m.topic = p.topic and m.partition = p.partition and (m.xid, m.seq) > (p.xid, p.seq)
and (c.began is null or not pg_visible_in_snapshot(m.xid, c.began) or m.at >= c.since)`

// Lag implements [backend.Positioner]. While a handler is at work, what is
// finished behind its message counts too. For a group without a position the
// error wraps backend.ErrNotFound.
func (b *Backend) Lag(ctx context.Context, topic, group string) (n int64, err error) {
	err = checkGroup(topic, group)
	if err == nil {
		err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			err := pool.QueryRow(ctx, b.config.sql(`
select (select count(*) from {s}.position p cross join lateral (select from {s}.message m where `+unread+`) u where p.topic = c.topic and p.consumer = c.name)
     + (select count(*) from {s}.waiting w where w.topic = c.topic and w.consumer = c.name)
from {s}.consumer c where c.topic = $1 and c.name = $2`), topic, group).Scan(&n)
			return noPosition(err)
		})
	}
	if err != nil {
		return 0, fmt.Errorf("postgres: lag of %s in %s: %w", group, topic, err)
	}
	return n, nil
}

func noPosition(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return errNoPosition
	}
	return err
}

// CatchUp implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound. Messages that the group is moved over count
// as finished. It looks every 100 ms, and when this process has finished
// something.
func (b *Backend) CatchUp(ctx context.Context, topic, group string) error {
	err := checkGroup(topic, group)
	if err == nil {
		err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error { return b.catchUp(ctx, pool, topic, group) })
	}
	if err != nil {
		return fmt.Errorf("postgres: catch up %s in %s: %w", group, topic, err)
	}
	return nil
}

func (b *Backend) catchUp(ctx context.Context, pool *pgxpool.Pool, topic, group string) error {
	var before string // what was committed, as a snapshot
	if err := pool.QueryRow(ctx, "select pg_current_snapshot()::text").Scan(&before); err != nil {
		return err
	}
	var began, now *string // tells apart the groups that have the name one after the other
	for first := true; ; first = false {
		moved := b.progress.next()
		var left bool
		err := pool.QueryRow(ctx, b.config.sql(`
select c.began::text, exists (
  select from {s}.position p cross join lateral (
    select from {s}.message m where `+unread+` and pg_visible_in_snapshot(m.xid, $3::text::pg_snapshot) limit 1
  ) u where p.topic = c.topic and p.consumer = c.name
) or exists (
  select from {s}.waiting w where w.topic = c.topic and w.consumer = c.name and pg_visible_in_snapshot(w.xid, $3::text::pg_snapshot)
)
from {s}.consumer c where c.topic = $1 and c.name = $2`), topic, group, before).Scan(&now, &left)
		switch {
		case err != nil:
			return noPosition(err)
		case first:
			began = now
		case (began == nil) != (now == nil) || began != nil && *began != *now:
			return errNoPosition // it was forgotten, and fixed anew
		}
		if !left {
			return nil
		}
		if !pause(ctx, 100*time.Millisecond, moved) {
			return ctx.Err()
		}
	}
}
