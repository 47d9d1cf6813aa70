package postgres

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend/window"
)

// waitingRow is a message that waits, as it was written down.
type waitingRow struct {
	window.Waiting
	place   place
	message *message.Message
}

// loadWaiting adds what waits in the partitions that were taken.
func (s *share) loadWaiting(ctx context.Context, tx pgx.Tx, taken []takenRow) error {
	byNumber := map[int16]*takenRow{}
	numbers := make([]int16, len(taken))
	for i := range taken {
		numbers[i] = taken[i].number
		byNumber[taken[i].number] = &taken[i]
	}
	rows, err := tx.Query(ctx, s.backend.config.sql(`
select w.partition, w.number, w.xid, w.seq, w.attempt, extract(epoch from w.due - clock_timestamp())::float8, m.uuid, m.metadata, m.payload
from {s}.waiting w join {s}.message m on m.topic = w.topic and m.partition = w.partition and m.xid = w.xid and m.seq = w.seq
where w.topic = $1 and w.consumer = $2 and w.partition = any($3::smallint[])
order by w.partition, w.number`), s.topic, s.group, numbers)
	if err != nil {
		return err
	}
	var partition int16
	var row waitingRow
	var seconds *float64
	var uuid string
	var metadata, payload []byte
	_, err = pgx.ForEachRow(rows, []any{&partition, &row.Position, &row.place.xid, &row.place.seq, &row.Attempt, &seconds, &uuid, &metadata, &payload}, func() error {
		one := row
		if one.Due = (time.Time{}); seconds != nil {
			one.Due = time.Now().Add(time.Duration(*seconds * float64(time.Second)))
		}
		var err error
		if one.message, err = newMessage(uuid, metadata, payload); err != nil {
			return err
		}
		payload = nil // it is the message's now
		t := byNumber[partition]
		t.waiting = append(t.waiting, one)
		return nil
	})
	return err
}

// begin begins with a partition that was taken.
func (s *share) begin(row takenRow, until time.Time) error {
	p := newPart(s, row, until)
	waiting := make([]window.Waiting, len(row.waiting))
	messages := make([]*message.Message, len(row.waiting))
	for i, w := range row.waiting {
		waiting[i], messages[i] = w.Waiting, w.message
		p.places[w.Position] = w.place
		p.waiting[w.Position] = w.Waiting
	}
	if err := p.window.Restore(waiting, messages); err != nil {
		return err
	}
	if row.skipped > 0 {
		s.skipped(row.passed-row.skipped+1, row.passed+1)
	}
	s.take(p)
	return nil
}

// skipped tells one of the members.
func (s *share) skipped(from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if m.Skipped != nil {
			m.Skipped(from, to)
			return
		}
	}
}

// giveBack lets the handlers of a partition finish what was read, within the
// time of a lease, and frees it for others.
func (s *share) giveBack(ctx context.Context, pool *pgxpool.Pool, p *part) {
	s.mu.Lock()
	draining := p.draining
	p.draining = true
	s.mu.Unlock()
	if draining {
		return
	}
	base := context.WithoutCancel(ctx)
	s.backend.consuming.Go(func() {
		ctx, cancel := context.WithCancel(base)
		defer cancel()
		defer context.AfterFunc(s.backend.base, cancel)()
		p.stop() // it reads no more
		for begun := time.Now(); !p.window.Position().Clear && time.Since(begun) < s.backend.config.Lease; {
			if !pause(ctx, 5*time.Millisecond, p.lost, s.left) {
				break
			}
			if s.isOver() {
				return // which gives back everything
			}
		}
		select {
		case <-s.backend.close(ctx, p.window):
		case <-p.lost:
			return
		}
		if err := s.release(ctx, pool, p); err != nil {
			s.backend.complain("a partition of "+s.group+" was not given back, and goes to others when its lease ends", err)
		}
		s.drop(p)
		s.backend.waker.wake(kindLeases, s.topic)
	})
}

// close closes a window; its result is closed when the window's handlers have returned.
func (b *Backend) close(ctx context.Context, w *window.Window) <-chan struct{} {
	done := make(chan struct{})
	b.consuming.Go(func() {
		defer close(done)
		_ = w.Close(ctx)
	})
	return done
}

// release writes down how far a partition is, and ends its lease. Its window is
// closed.
func (s *share) release(ctx context.Context, pool *pgxpool.Pool, p *part) error {
	err := s.writeDown(ctx, pool, []*part{p})
	if err == nil {
		_, err = pool.Exec(ctx, s.backend.config.sql(`
update {s}.position set owner = null, until = null
where topic = $1 and consumer = $2 and owner = $3 and partition = $4 and epoch = $5`), s.topic, s.group, s.id, p.number, p.epoch)
	}
	return err
}

// end ends the share: its members have left, and it takes no partition any more.
func (s *share) end() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.backend.base), 5*time.Second)
	defer cancel()
	parts := s.held()
	for _, p := range parts {
		_ = p.window.Close(ctx) // nobody consumes any more
	}
	pool := s.backend.pool.Load()
	if pool == nil {
		return // it never began
	}
	err := s.writeDown(ctx, pool, parts)
	for _, last := range []string{
		"update {s}.position set owner = null, until = null where topic = $1 and consumer = $2 and owner = $3",
		"delete from {s}.member where topic = $1 and consumer = $2 and id = $3",
	} {
		if err == nil {
			_, err = pool.Exec(ctx, s.backend.config.sql(last), s.topic, s.group, s.id)
		}
	}
	if err != nil {
		s.backend.complain("the partitions of "+s.group+" go to others when their leases end", err)
	}
	for _, p := range parts {
		s.drop(p)
	}
	s.backend.waker.wake(kindLeases, s.topic)
}
