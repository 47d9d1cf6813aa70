package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// checkServer sees whether the schema came here by a dump from another server,
// whose transaction IDs mean nothing here: then all is numbered anew.
func (b *Backend) checkServer(ctx context.Context, pool *pgxpool.Pool) error {
	var here string
	err := pool.QueryRow(ctx, "select system_identifier::text from pg_control_system()").Scan(&here)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42501" {
		return nil // not to be known
	}
	if err != nil {
		return fmt.Errorf("identify the server: %w", err)
	}
	return b.config.transaction(ctx, pool, func(tx pgx.Tx) error {
		lock := fnv.New64a()
		lock.Write([]byte("notify migration of " + b.config.Schema))
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(lock.Sum64())); err != nil {
			return err
		}
		var stored string
		err := tx.QueryRow(ctx, b.config.sql("select value from {s}.setting where name = 'server'")).Scan(&stored)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			_, err = tx.Exec(ctx, b.config.sql("insert into {s}.setting (name, value) values ('server', $1)"), here)
			return err
		case err != nil || stored == here:
			return err
		}
		if _, err := tx.Exec(ctx, b.config.sql(renumber)); err != nil {
			return fmt.Errorf("number the messages of a restored schema anew: %w", err)
		}
		_, err = tx.Exec(ctx, b.config.sql("update {s}.setting set value = $1 where name = 'server'"), here)
		return err
	})
}

// renumber gives all messages the lowest ID that a transaction can have, and
// numbers in their order, beyond those that they may have from an earlier time.
// What a group's beginning left out beside its position
// is not left out any more: it may get a few messages from before it began.
const renumber = `
lock table {s}.message, {s}.position, {s}.waiting, {s}.consumer in access exclusive mode;
create temporary table renumbered on commit drop as
  select topic, partition, xid, seq, row_number() over (order by xid, seq) + (select coalesce(max(seq), 0) from {s}.message where xid = '3') as n from {s}.message;
create unique index on renumbered (topic, partition, xid, seq);
update {s}.position p set owner = null, until = null, xid = '3', seq = coalesce((
  select max(r.n) from renumbered r where r.topic = p.topic and r.partition = p.partition and (r.xid, r.seq) <= (p.xid, p.seq)
), 0);
update {s}.waiting w set xid = '3', seq = r.n from renumbered r
  where r.topic = w.topic and r.partition = w.partition and r.xid = w.xid and r.seq = w.seq;
update {s}.message m set xid = '3', seq = r.n from renumbered r
  where r.topic = m.topic and r.partition = m.partition and r.xid = m.xid and r.seq = m.seq;
update {s}.consumer set began = null, since = null, seen = now();
delete from {s}.member`
