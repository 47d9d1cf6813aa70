package postgres

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// maxDelayedAtOnce bounds what one transaction brings into topics.
const maxDelayedAtOnce = 1000

// delays brings delayed messages into their topics when it is time, by the
// database's clock. One process at a time does.
type delays struct {
	backend *Backend
	pending chan struct{} // there may be an earlier time
	gauge   gauge
}

func (d *delays) init(b *Backend) { d.backend, d.pending = b, make(chan struct{}, 1) }

// expect is told of a message that was delayed here.
func (d *delays) expect(at time.Time) {
	// Whoever waits does so for less than the poll.
	if time.Until(at) < 2*d.backend.config.Poll {
		signal(d.pending)
	}
}

func (d *delays) run(ctx context.Context, pool *pgxpool.Pool) {
	for {
		wait, err := d.move(ctx, pool)
		if err != nil && ctx.Err() == nil {
			d.backend.complain("delayed messages are late", err)
		}
		if !pause(ctx, wait, d.pending) {
			return
		}
	}
}

// move brings what is due, in the order of times. It returns how long there is
// nothing to do, as far as is known.
func (d *delays) move(ctx context.Context, pool *pgxpool.Pool) (wait time.Duration, err error) {
	ctx, cancel := d.backend.inTime(ctx)
	defer cancel()
	wait = d.backend.config.Poll
	next, err := d.next(ctx, pool)
	if err != nil || next > 0 {
		return min(next, wait), err
	}
	var topics []string
	err = d.backend.config.transaction(ctx, pool, func(tx pgx.Tx) error {
		topics, err = d.moveDue(ctx, tx)
		return err
	})
	if err != nil {
		return wait, err
	}
	for _, topic := range topics {
		d.backend.waker.wake(kindMessages, topic)
	}
	if topics == nil {
		return wait, nil // another process is at it
	}
	return 0, nil
}

// next is how long it takes until a message is due.
func (d *delays) next(ctx context.Context, pool *pgxpool.Pool) (time.Duration, error) {
	var seconds *float64
	err := pool.QueryRow(ctx, d.backend.config.sql("select extract(epoch from min(at) - clock_timestamp())::float8 from {s}.delayed")).Scan(&seconds)
	if err != nil || seconds == nil {
		return d.backend.config.Poll, err
	}
	// A message that is due in less than a microsecond is not due.
	return time.Duration(*seconds*float64(time.Second)) + time.Microsecond*time.Duration(sign(*seconds)), nil
}

func sign(f float64) int {
	if f > 0 {
		return 1
	}
	return 0
}

// moveDue returns the topics of what it moved, or nil if another process moves.
func (d *delays) moveDue(ctx context.Context, tx pgx.Tx) ([]string, error) {
	lock := fnv.New64a()
	lock.Write([]byte("notify delayed of " + d.backend.config.Schema))
	var mine bool
	if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", int64(lock.Sum64())).Scan(&mine); err != nil || !mine {
		return nil, err
	}
	rows, err := tx.Query(ctx, d.backend.config.sql(`
with d as (
  delete from {s}.delayed where id in (
    select id from {s}.delayed where at <= clock_timestamp() order by at, id limit $1
  ) returning *
), m as (
  insert into {s}.message (topic, partition, uuid, metadata, payload)
  select topic, partition, uuid, metadata, payload from d order by at, id
)
select distinct topic from d`), maxDelayedAtOnce)
	if err != nil {
		return nil, err
	}
	topics, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if topics == nil {
		topics = []string{}
	}
	return topics, err
}
