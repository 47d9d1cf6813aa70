package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// readRow is a message as it was read.
type readRow struct {
	place
	message *message.Message
}

// patience is how long messages may wait for an open transaction before the
// Logger is told, and told again.
const patience = 10 * time.Second

var errHeld = errors.New("see pg_stat_activity for the oldest backend_xid, and pg_prepared_xacts, of any database of the server")

// read reads for all windows that have room, until ctx ends.
func (s *share) read(ctx context.Context, pool *pgxpool.Pool) {
	poll := s.backend.config.Poll
	const soon = 2 * time.Millisecond
	again := soon
	var since time.Time // when it was held first
	for {
		wait := poll
		if parts := s.hungry(); len(parts) > 0 {
			held, err := s.fetch(ctx, pool, parts)
			switch {
			case ctx.Err() != nil:
				return
			case err != nil:
				s.backend.complain("messages of "+s.topic+" were not read", err)
			case held:
				// A transaction that began before is still open. Nobody tells
				// when it ends.
				wait, again = again, min(2*again, poll)
				if since.IsZero() {
					since = time.Now()
				} else if time.Since(since) > patience {
					s.backend.complain("messages of "+s.topic+" wait for a transaction that has been open for long", errHeld)
					since = time.Now()
				}
			default:
				again, since = soon, time.Time{}
			}
		}
		if !pause(ctx, wait, s.messages) {
			return
		}
	}
}

// hungry are the parts whose windows have room.
func (s *share) hungry() []*part {
	return slices.DeleteFunc(s.held(), func(p *part) bool { return !p.isHungry() })
}

// readMessages reads on from a place in each of several partitions. What is not
// below every transaction that is still open comes too, without content, and is
// marked: a row of a smaller place may yet appear.
const readMessages = `
select p.partition, m.xid, m.seq, r.ready, m.uuid, case when r.ready then m.metadata end, case when r.ready then m.payload end
from {s}.consumer c
cross join unnest($3::smallint[], $4::xid8[], $5::bigint[], $7::timestamptz[]) as p(partition, xid, seq, era)
cross join lateral (
  select * from {s}.message m
  where m.topic = $1 and m.partition = p.partition and (m.xid, m.seq) > (p.xid, p.seq)
  and (c.began is null or not pg_visible_in_snapshot(m.xid, c.began) or m.at >= c.since)
  order by m.xid, m.seq limit $6
) m
cross join lateral (select $8 or m.xid < pg_snapshot_xmin(pg_current_snapshot()) as ready) r
where c.topic = $1 and c.name = $2 and p.era = pg_postmaster_start_time()`

// fetch reads for the parts. It tells whether there is more that must not be
// read yet.
func (s *share) fetch(ctx context.Context, pool *pgxpool.Pool, parts []*part) (held bool, err error) {
	ctx, cancel := s.backend.inTime(ctx)
	defer cancel()
	numbers, xids, seqs, eras := make([]int16, len(parts)), make([]uint64, len(parts)), make([]int64, len(parts)), make([]time.Time, len(parts))
	for i, p := range parts {
		numbers[i], xids[i], seqs[i], eras[i] = p.number, p.last.xid, p.last.seq, p.era
	}
	rows, err := pool.Query(ctx, s.backend.config.sql(readMessages), s.topic, s.group, numbers, xids, seqs, s.room(), eras, s.backend.config.seesAll)
	if err != nil {
		return false, err
	}
	read := map[int16][]readRow{}
	var number int16
	var at place
	var ready bool
	var uuid string
	var metadata, payload []byte
	_, err = pgx.ForEachRow(rows, []any{&number, &at.xid, &at.seq, &ready, &uuid, &metadata, &payload}, func() error {
		if !ready {
			held = true
			return nil
		}
		m, err := newMessage(uuid, metadata, payload)
		payload = nil // it is the message's now
		read[number] = append(read[number], readRow{at, m})
		return err
	})
	if err != nil {
		return false, err
	}
	for _, p := range parts {
		some := read[p.number]
		if len(some) == 0 {
			continue
		}
		slices.SortFunc(some, func(a, b readRow) int { return cmp.Or(cmp.Compare(a.xid, b.xid), cmp.Compare(a.seq, b.seq)) })
		if err := p.add(some); err != nil {
			return held, err
		}
	}
	return held, nil
}
