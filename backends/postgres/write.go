package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// writePause is the least time between two writes of positions.
const writePause = 10 * time.Millisecond

// write writes down how far the partitions are, whenever that changes.
func (s *share) write(ctx context.Context, pool *pgxpool.Pool) {
	for {
		select {
		case <-s.moved:
		case <-ctx.Done():
			return
		}
		wait := writePause
		// A write that was begun is finished: see writePosition.
		if err := s.writeDown(s.backend.base, pool, s.held()); err != nil {
			if ctx.Err() != nil {
				return
			}
			s.backend.complain("the position of "+s.group+" was not written", err)
			wait = time.Second
			signal(s.moved)
		}
		if !pause(ctx, wait) {
			return
		}
	}
}

// writePosition moves a position, if the lease is still the one that the epoch
// says: a process that was frozen meanwhile changes nothing. Nor does a write
// that was given up, and reaches the server after a later one, or another server.
const writePosition = `
with p as (
  update {s}.position set xid = $6, seq = $7, passed = $8, write = $15
  where topic = $1 and consumer = $2 and partition = $3 and owner = $4 and epoch = $5 and write < $15
  and pg_postmaster_start_time() = $17 returning 1
), g as (
  delete from {s}.waiting
  where topic = $1 and consumer = $2 and partition = $3 and exists (select from p)
  and (number = any($9::bigint[]) or $16 and number <> all($10::bigint[]))
), a as (
  insert into {s}.waiting (topic, consumer, partition, number, xid, seq, attempt, due)
  select $1, $2, $3, number, xid, seq, attempt, clock_timestamp() + make_interval(secs => due)
  from unnest($10::bigint[], $11::xid8[], $12::bigint[], $13::integer[], $14::float8[]) as x(number, xid, seq, attempt, due)
  where exists (select from p)
  on conflict (topic, consumer, partition, number) do update set attempt = excluded.attempt, due = excluded.due
)
select count(*) from p`

// writeDown writes what has changed. A partition that is held by others now is
// dropped. The commit is not waited for: what a crash of the server takes back
// is delivered again.
func (s *share) writeDown(ctx context.Context, pool *pgxpool.Pool, parts []*part) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	batch := &pgx.Batch{}
	batch.Queue(begin)
	batch.Queue("set local synchronous_commit = off")
	states := map[*part]state{}
	found := map[*part]int64{}
	for _, p := range parts {
		now := p.state()
		if p.equal(now) {
			continue
		}
		states[p] = now
		p.writes++
		batch.Queue(s.backend.config.sql(s.backend.config.writePosition), s.writeArgs(p, now)...).QueryRow(func(row pgx.Row) error {
			var n int64
			err := row.Scan(&n)
			found[p] = n
			return err
		})
	}
	if len(states) == 0 {
		return nil
	}
	batch.Queue("commit")
	ctx, cancel := s.backend.inTime(ctx)
	defer cancel()
	err := pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return s.backend.send(ctx, conn, batch) })
	if err != nil {
		for p := range states {
			p.unsure = true
		}
		return err
	}
	for p, now := range states {
		if found[p] == 0 {
			s.drop(p)
			continue
		}
		p.wrote(now)
	}
	s.backend.progress.tell()
	return nil
}

func (s *share) writeArgs(p *part, now state) []any {
	gone, numbers, seqs := []int64{}, []int64{}, []int64{} // null would be another thing
	var xids []uint64
	var attempts []int32
	var dues []*float64
	for number := range p.waiting {
		if _, still := now.waiting[number]; !still {
			gone = append(gone, number)
		}
	}
	for number, w := range now.waiting {
		if old, ok := p.waiting[number]; !p.unsure && ok && old.Attempt == w.Attempt && old.Due.Equal(w.Due) {
			continue
		}
		at := now.places[number]
		numbers, xids, seqs = append(numbers, number), append(xids, at.xid), append(seqs, at.seq)
		attempts = append(attempts, int32(w.Attempt))
		var due *float64
		if !w.Due.IsZero() {
			due = new(time.Until(w.Due).Seconds())
		}
		dues = append(dues, due)
	}
	return []any{s.topic, s.group, p.number, s.id, p.epoch, now.at.xid, now.at.seq, now.passed, gone, numbers, xids, seqs, attempts, dues, p.writes, p.unsure, p.era}
}
