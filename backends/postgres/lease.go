package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

// tend renews the leases, takes partitions that are free, and gives away what
// is more than its due. Its clock is the database's; of this process's it uses
// durations only.
func (s *share) tend(ctx context.Context, pool *pgxpool.Pool) {
	lease := s.backend.config.Lease
	const soon = 50 * time.Millisecond
	retry := soon
	for {
		wait := lease / 3
		switch err := s.agree(ctx, pool); {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNoPosition):
			s.backend.complain("the group "+s.group+" of "+s.topic+" was forgotten or renamed, and its members here get nothing more", err)
			s.forget()
			return
		case err != nil:
			s.backend.complain("the leases of "+s.group+" were not renewed", err)
			wait, retry = retry, min(2*retry, lease/3)
		case s.backend.config.deaf:
			return
		default:
			retry = soon
		}
		if !s.rest(ctx, wait) {
			return
		}
	}
}

// rest waits for the next time to agree, and drops what is lost meanwhile. It
// returns false when ctx has ended.
func (s *share) rest(ctx context.Context, wait time.Duration) bool {
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		expiry := time.NewTimer(s.dropLost(wait))
		select {
		case <-end.C:
		case <-s.leases:
		case <-expiry.C:
			continue
		case <-ctx.Done():
		}
		expiry.Stop()
		return ctx.Err() == nil
	}
}

// dropLost drops what was not renewed in time, and returns how long the rest
// lasts, or more.
func (s *share) dropLost(most time.Duration) time.Duration {
	for _, p := range s.held() {
		if !p.held() {
			s.drop(p)
			continue
		}
		p.mu.Lock()
		most = min(most, time.Until(p.deadline))
		p.mu.Unlock()
	}
	return max(most, time.Millisecond)
}

// forget ends the partitions of a group that has no position any more. Its
// members get nothing more; a new one starts another share.
func (s *share) forget() {
	s.mu.Lock()
	s.forgot = true
	s.mu.Unlock()
	for _, p := range s.held() {
		s.drop(p)
	}
}

// agreed is what came of a round of the leases.
type agreed struct {
	fresh   bool // this process is new to the group
	members int
	renewed map[int16]bool
	taken   []takenRow
}

// takenRow is a partition that was taken.
type takenRow struct {
	number          int16
	epoch           int64
	era             time.Time
	last            place
	passed, skipped int64
	waiting         []waitingRow
}

// agree is a round of the leases.
func (s *share) agree(ctx context.Context, pool *pgxpool.Pool) error {
	b := s.backend
	ctx, cancel := context.WithTimeout(ctx, max(b.config.Lease/3, 30*time.Millisecond))
	defer cancel()
	if !s.fixed {
		if err := b.fix(ctx, pool, s.topic, s.group, backend.FromOldest()); err != nil {
			return err
		}
		s.fixed = true
	}
	parts := s.held()
	begun := time.Now()
	var now agreed
	err := b.config.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
		now, err = s.ask(ctx, tx, parts)
		return err
	})
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "23503" { // the member's group is missing
		return errNoPosition
	}
	if err != nil {
		return err
	}
	until := begun.Add(b.config.Lease) // the database's clock began later
	mine := 0
	for _, p := range parts {
		if !now.renewed[p.number] {
			s.drop(p)
			continue
		}
		p.renew(until)
		if mine++; mine > b.due(now.members) {
			s.giveBack(ctx, pool, p)
		}
	}
	for _, row := range now.taken {
		if err := s.begin(row, until); err != nil {
			return err
		}
	}
	if now.fresh {
		b.waker.wake(kindLeases, s.topic)
	}
	return nil
}

// due is how many partitions a member of so many may hold.
func (b *Backend) due(members int) int {
	members = max(members, 1)
	return (b.partitions + members - 1) / members
}

// ask does a round's statements.
func (s *share) ask(ctx context.Context, tx pgx.Tx, parts []*part) (now agreed, err error) {
	b := s.backend
	lease := b.config.Lease.Seconds()
	sql := b.config.sql
	err = tx.QueryRow(ctx, sql(`
insert into {s}.member (topic, consumer, id, until) values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
on conflict (topic, consumer, id) do update set until = excluded.until returning xmax = 0`), s.topic, s.group, s.id, lease).Scan(&now.fresh)
	if err != nil {
		return now, err
	}
	if _, err = tx.Exec(ctx, sql(`
delete from {s}.member where (topic, consumer, id) in (
  select topic, consumer, id from {s}.member where topic = $1 and consumer = $2 and until < clock_timestamp() for update skip locked
)`), s.topic, s.group); err != nil {
		return now, err
	}
	if _, err = tx.Exec(ctx, sql(`
update {s}.consumer set seen = clock_timestamp() where topic = $1 and name = $2
and seen < clock_timestamp() - make_interval(secs => $3)`), s.topic, s.group, min(time.Minute, b.config.GroupTimeout/4).Seconds()); err != nil {
		return now, err
	}
	if now.renewed, err = s.renew(ctx, tx, parts); err != nil {
		return now, err
	}
	err = tx.QueryRow(ctx, sql(`select count(*) from {s}.member where topic = $1 and consumer = $2 and until >= clock_timestamp()`), s.topic, s.group).Scan(&now.members)
	if err != nil {
		return now, err
	}
	if free := b.due(now.members) - len(now.renewed); free > 0 {
		now.taken, err = s.acquire(ctx, tx, free, now.renewed)
	}
	return now, err
}

// renew returns the partitions whose leases were renewed: by their epochs those
// that nobody else has held meanwhile, on a server that has not started anew.
func (s *share) renew(ctx context.Context, tx pgx.Tx, parts []*part) (map[int16]bool, error) {
	numbers, epochs, eras := make([]int16, len(parts)), make([]int64, len(parts)), make([]time.Time, len(parts))
	for i, p := range parts {
		numbers[i], epochs[i], eras[i] = p.number, p.epoch, p.era
	}
	rows, err := tx.Query(ctx, s.backend.config.sql(`
with mine as ( -- in the order in which positions are written
  select p.partition from {s}.position p
  join unnest($5::smallint[], $6::bigint[], $7::timestamptz[]) as held(partition, epoch, era) using (partition, epoch)
  where p.topic = $1 and p.consumer = $2 and p.owner = $3 and held.era = pg_postmaster_start_time()
  order by p.partition for no key update of p
)
update {s}.position p set until = clock_timestamp() + make_interval(secs => $4)
from mine where p.topic = $1 and p.consumer = $2 and p.partition = mine.partition
returning p.partition`), s.topic, s.group, s.id, s.backend.config.Lease.Seconds(), numbers, epochs, eras)
	if err != nil {
		return nil, err
	}
	renewed := map[int16]bool{}
	var number int16
	_, err = pgx.ForEachRow(rows, []any{&number}, func() error {
		renewed[number] = true
		return nil
	})
	return renewed, err
}

// acquire takes up to so many partitions that are free, or whose leases have
// ended.
func (s *share) acquire(ctx context.Context, tx pgx.Tx, most int, held map[int16]bool) ([]takenRow, error) {
	not := make([]int16, 0, len(held))
	for number := range held {
		not = append(not, number)
	}
	rows, err := tx.Query(ctx, s.backend.config.sql(`
with f as (
  select partition, skipped from {s}.position
  where topic = $1 and consumer = $2 and (owner is null or owner = $3 or until < clock_timestamp()) and partition <> all($6::smallint[])
  order by partition limit $5 for update skip locked
)
update {s}.position p set owner = $3, epoch = p.epoch + 1, until = clock_timestamp() + make_interval(secs => $4), skipped = 0, write = 0
from f where p.topic = $1 and p.consumer = $2 and p.partition = f.partition
returning p.partition, p.epoch, pg_postmaster_start_time(), p.xid, p.seq, p.passed, f.skipped`), s.topic, s.group, s.id, s.backend.config.Lease.Seconds(), most, not)
	if err != nil {
		return nil, err
	}
	taken, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t takenRow, err error) {
		err = row.Scan(&t.number, &t.epoch, &t.era, &t.last.xid, &t.last.seq, &t.passed, &t.skipped)
		return t, err
	})
	if err != nil || len(taken) == 0 {
		return taken, err
	}
	return taken, s.loadWaiting(ctx, tx, taken)
}
