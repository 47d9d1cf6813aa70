package postgres

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxDeletedAtOnce bounds what one transaction deletes.
const maxDeletedAtOnce = 1000

// retain deletes what is beyond the retention, now and then, until ctx ends.
func (b *Backend) retain(ctx context.Context, pool *pgxpool.Pool) {
	every := min(max(b.config.Retention/20, 50*time.Millisecond), 5*time.Minute)
	for pause(ctx, every) {
		if err := b.deleteOld(ctx, pool); err != nil && ctx.Err() == nil {
			b.complain("messages beyond the retention are kept", err)
		}
	}
}

// deleteOld goes through the partitions of all topics.
func (b *Backend) deleteOld(ctx context.Context, pool *pgxpool.Pool) error {
	rows, err := pool.Query(ctx, b.config.sql(`
with recursive t(topic) as (
  select min(topic) from {s}.message
  union all
  select (select min(m.topic) from {s}.message m where m.topic > t.topic) from t where t.topic is not null
)
select topic from t where topic is not null`))
	if err != nil {
		return err
	}
	topics, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, topic := range topics {
		for partition := range b.partitions {
			for n := maxDeletedAtOnce; n == maxDeletedAtOnce; {
				if n, err = b.deleteSome(ctx, pool, topic, partition); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// deleteSome deletes the oldest messages of a partition, as far as they are
// beyond the retention and every group that is alive has finished them. The
// others are moved forward.
//
// Their rows are locked, so that none of them comes to life meanwhile.
func (b *Backend) deleteSome(ctx context.Context, pool *pgxpool.Pool, topic string, partition int) (n int, err error) {
	lock := fnv.New64a()
	lock.Write([]byte("notify retention of " + b.config.Schema))
	ctx, cancel := b.inTime(ctx)
	defer cancel()
	err = b.config.transaction(ctx, pool, func(tx pgx.Tx) error {
		var mine bool
		if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", int64(lock.Sum64())).Scan(&mine); err != nil || !mine {
			return err
		}
		if _, err := tx.Exec(ctx, b.config.sql("select from {s}.consumer where topic = $1 order by name for update"), topic); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, b.config.sql(deleteMessages), topic, partition,
			b.config.Retention.Seconds(), b.config.GroupTimeout.Seconds(), maxDeletedAtOnce).Scan(&n)
		if err == nil && n > 0 {
			b.config.Logger.Debug("notify: old messages are being deleted", "topic", topic, "messages", n)
		}
		return err
	})
	if err == nil && n > 0 {
		b.config.Logger.Debug("notify: old messages were deleted", "topic", topic, "messages", n)
	}
	return n, err
}

const deleteMessages = `
with alive as (
  select name from {s}.consumer c where topic = $1 and (seen >= clock_timestamp() - make_interval(secs => $4) or exists (
    select from {s}.member m where m.topic = c.topic and m.consumer = c.name and m.until >= clock_timestamp()))
), kept as ( -- the last that every group has finished
  select xid, seq from (
    select p.xid, p.seq from {s}.position p join alive on alive.name = p.consumer where p.topic = $1 and p.partition = $2
    union all
    select w.xid, w.seq - 1 from {s}.waiting w join alive on alive.name = w.consumer where w.topic = $1 and w.partition = $2
  ) all_of order by xid, seq limit 1
), oldest as (
  select m.xid, m.seq, bool_and(m.at < clock_timestamp() - make_interval(secs => $3)) over (order by m.xid, m.seq) as old
  from (
    select m.xid, m.seq, m.at from {s}.message m
    where m.topic = $1 and m.partition = $2 and m.xid < pg_snapshot_xmin(pg_current_snapshot())
    and not exists (select from kept where (m.xid, m.seq) > (kept.xid, kept.seq))
    order by m.xid, m.seq limit $5
  ) m
), gone as (
  delete from {s}.message m using oldest o
  where m.topic = $1 and m.partition = $2 and m.xid = o.xid and m.seq = o.seq and o.old
  returning m.xid, m.seq, m.at
), last as (
  select xid, seq from gone order by xid desc, seq desc limit 1
), unread as ( -- by groups that are not alive
  select c.name,
    (select count(*) from gone m where (m.xid, m.seq) > (p.xid, p.seq)
     and (c.began is null or not pg_visible_in_snapshot(m.xid, c.began) or m.at >= c.since)) as passed,
    (select count(*) from {s}.waiting w where w.topic = $1 and w.consumer = c.name and w.partition = $2 and (w.xid, w.seq) <= (last.xid, last.seq)) as waited
  from last, {s}.consumer c join {s}.position p on p.topic = $1 and p.consumer = c.name and p.partition = $2
  where c.topic = $1 and c.name not in (select name from alive)
), dropped as (
  delete from {s}.waiting w using last, unread u
  where w.topic = $1 and w.consumer = u.name and w.partition = $2 and (w.xid, w.seq) <= (last.xid, last.seq)
), moved as (
  update {s}.position p set
    passed = p.passed + u.passed, skipped = p.skipped + u.passed + u.waited,
    xid = case when (p.xid, p.seq) < (last.xid, last.seq) then last.xid else p.xid end,
    seq = case when (p.xid, p.seq) < (last.xid, last.seq) then last.seq else p.seq end
  from last, unread u
  where p.topic = $1 and p.consumer = u.name and p.partition = $2
)
select count(*) from gone`
