package notify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// sweeper brings back what a crash, a lost message or a backend without delays
// left lying (20): it takes up the records that are due.
type sweeper struct {
	n *Notifier
	// next is when it looks next, in Unix nanoseconds. Any goroutine may lower
	// it; kick then has the timer set anew.
	next atomic.Int64
	kick chan struct{}
	// failing are the records that could not be taken up, with when each is
	// tried again: they must not keep the others from their turn.
	failing map[string]time.Time
	// tookOver says that it has looked for what dead processes left.
	tookOver bool
}

const (
	// sweepBatch is how many records it asks for at a time, sweepAtOnce how many
	// it takes up at once, which a store may commit together, and maxFailing how
	// many that fail it passes over.
	sweepBatch  = 100
	sweepAtOnce = 16
	maxFailing  = 10_000
	// sweepEvery is the longest it sleeps: another process may have stored
	// what is due and died. expireEvery is how often it deletes old records,
	// expireBatch how many at a time, and expirePause when it goes on if there are
	// more.
	sweepEvery  = 30 * time.Second
	expireEvery = time.Minute
	expireBatch = 1000
	expirePause = 100 * time.Millisecond
)

func newSweeper(n *Notifier) *sweeper {
	return &sweeper{n: n, kick: make(chan struct{}, 1), failing: map[string]time.Time{}}
}

// expect makes the sweeper look at a time, unless it does so anyway. It is
// called after every write.
func (s *sweeper) expect(due time.Time) {
	if due.IsZero() || time.Until(due) > sweepEvery || !s.lower(due) {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// lower makes next earlier, if at is.
func (s *sweeper) lower(at time.Time) bool {
	for {
		next := s.next.Load()
		if at.UnixNano() >= next {
			return false
		}
		if s.next.CompareAndSwap(next, at.UnixNano()) {
			return true
		}
	}
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var expire time.Time // when it deletes old records next
	for failures := 0; ; {
		now := time.Now()
		s.next.Store(math.MaxInt64) // what is written while it looks, lowers it
		next, err := s.sweep(ctx, now)
		if err != nil && ctx.Err() == nil {
			failures++
			s.n.log.Warn("notify: the sweep failed, and will be tried again", "error", err)
			next = now.Add(stepBackoff(failures))
		} else {
			failures = 0
		}
		if !now.Before(expire) {
			expire = now.Add(expireEvery)
			deleted, err := s.n.ledger.records.Expire(ctx, now, expireBatch)
			switch {
			case err == nil && deleted >= expireBatch:
				expire = now.Add(expirePause)
				s.lower(expire)
			case err != nil && ctx.Err() == nil:
				s.n.log.Warn("notify: old records could not be deleted", "error", err)
			}
		}
		s.lower(next)
		if !s.sleep(ctx, timer) {
			return
		}
	}
}

// takeOverMost and takeOverAhead are how many records it looks at when it begins,
// and how far ahead those are due: a lease lasts a little more than an attempt.
const (
	takeOverMost  = 1000
	takeOverAhead = time.Hour + 2*sweepGrace
)

// takeOver takes up, when the sweeper begins, the attempts of a process that died:
// their records are due when their leases end, which nobody has to wait for. Mostly
// the work comes again by itself, but not if it was put back until then. The same
// goes for reports whose message became known just before.
func (s *sweeper) takeOver(ctx context.Context, now time.Time) error {
	ledger := s.n.ledger
	if s.tookOver || ledger.decider.present == nil {
		return nil
	}
	ids, _, err := ledger.records.Due(ctx, now.Add(takeOverAhead), takeOverMost)
	if err != nil {
		return fmt.Errorf("notify: find the records of a process that died: %w", err)
	}
	failed := eachSwept(ctx, ids, func(id string) error {
		if strings.HasPrefix(id, parkedPrefix) {
			_, err := s.n.matchParked(ctx, id)
			return err
		}
		r, err := ledger.load(ctx, id)
		if err != nil {
			return err
		}
		c := ledger.decider.takeOver(r.record, now)
		if c == nil {
			return nil
		}
		return ledger.commit(ctx, r, c)
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for i, err := range failed {
		if err != nil && !errors.Is(err, backend.ErrNotFound) {
			s.n.log.Warn("notify: a record of a process that died could not be taken up, and is when it is due", "record", ids[i], "error", err)
		}
	}
	s.tookOver = true
	return nil
}

// sleep waits until next. It returns false if ctx ends before.
func (s *sweeper) sleep(ctx context.Context, timer *time.Timer) bool {
	for {
		timer.Reset(time.Until(time.Unix(0, s.next.Load())))
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-s.kick:
		}
	}
}

// sweep takes up what is due, and returns when to look next. Its error is the
// store's: that of one record is no reason to leave the others.
func (s *sweeper) sweep(ctx context.Context, now time.Time) (time.Time, error) {
	if err := s.takeOver(ctx, now); err != nil {
		return now, err
	}
	limit := sweepBatch + len(s.failing)
	ids, next, err := s.n.ledger.records.Due(ctx, now, limit)
	if err != nil {
		return now, fmt.Errorf("notify: find due records: %w", err)
	}
	failing := map[string]time.Time{} // of ids, so that it forgets the others
	var turn []string
	for _, id := range ids {
		if again := s.failing[id]; again.After(now) {
			failing[id] = again
		} else {
			turn = append(turn, id)
		}
	}
	failed := eachSwept(ctx, turn, func(id string) error { return s.take(ctx, id) })
	if ctx.Err() != nil {
		return now, ctx.Err()
	}
	taken := 0
	for i, err := range failed {
		if err == nil || errors.Is(err, backend.ErrNotFound) {
			taken++
			continue
		}
		s.n.log.Warn("notify: a record could not be swept, and will be tried again", "record", turn[i], "error", err)
		if len(failing) < maxFailing {
			failing[turn[i]] = now.Add(sweepEvery)
		}
	}
	s.failing = failing
	switch latest := now.Add(sweepEvery); {
	case len(ids) == limit && taken > 0:
		return now, nil
	case len(ids) > 0 && taken == 0 && next.Before(now.Add(time.Second)) && !next.IsZero():
		return now.Add(time.Second), nil // not at once, or it would spin
	case next.IsZero() || next.After(latest):
		return latest, nil
	default:
		return next, nil
	}
}

// eachSwept does something with each record, with several at once, until ctx ends.
// It returns how each fared.
func eachSwept(ctx context.Context, ids []string, do func(id string) error) []error {
	failed := make([]error, len(ids))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(sweepAtOnce, len(ids)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(ids)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				failed[i] = retryConflicts(ctx, func() error { return do(ids[i]) })
			}
		})
	}
	all.Wait()
	return failed
}

// take takes up one record: first what it has not published, then what is
// overdue.
func (s *sweeper) take(ctx context.Context, id string) error {
	if strings.HasPrefix(id, parkedPrefix) {
		return s.n.sweepParked(ctx, id)
	}
	ledger := s.n.ledger
	r, err := ledger.load(ctx, id)
	if err != nil {
		return err
	}
	if ledger.decider.keeps(ruleV8) {
		if r, err = ledger.flush(ctx, r); err != nil {
			return err
		}
	}
	c := ledger.decider.sweep(r.record, time.Now())
	if c == nil {
		// Nothing to do yet: storing it again moves its due time.
		_, err = ledger.store(ctx, r.clone(), r.revision)
		return err
	}
	return ledger.commit(ctx, r, c)
}
