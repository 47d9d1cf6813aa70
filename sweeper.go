package notify

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// sweeper brings back what a crash, a lost message or a backend without delays
// left lying (20): it takes up the records that are due.
type sweeper struct {
	n *Notifier
	// next is when it looks next, in Unix nanoseconds; kick wakes it earlier.
	next atomic.Int64
	kick chan struct{}
}

const (
	// sweepBatch is how many records it takes up at a time.
	sweepBatch = 100
	// sweepEvery is the longest it sleeps: another process may have stored
	// what is due and died. expireEvery is how often it deletes old records.
	sweepEvery  = 30 * time.Second
	expireEvery = time.Minute
)

func newSweeper(n *Notifier) *sweeper { return &sweeper{n: n, kick: make(chan struct{}, 1)} }

// expect makes the sweeper look at a time. It is called after every write.
func (s *sweeper) expect(due time.Time) {
	if due.IsZero() || due.UnixNano() >= s.next.Load() {
		return
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var expired time.Time
	for failures := 0; ; {
		now := time.Now()
		s.next.Store(math.MaxInt64) // what is written while it looks, wakes it
		next, err := s.sweep(ctx, now)
		if err != nil && ctx.Err() == nil {
			failures++
			s.n.log.Warn("notify: the sweep failed, and will be tried again", "error", err)
			next = now.Add(stepBackoff(min(failures, 10)))
		} else {
			failures = 0
		}
		if now.Sub(expired) >= expireEvery {
			expired = now
			if _, err := s.n.ledger.records.Expire(ctx, now, 10*sweepBatch); err != nil && ctx.Err() == nil {
				s.n.log.Warn("notify: old records could not be deleted", "error", err)
			}
		}
		s.next.Store(next.UnixNano())
		timer.Reset(time.Until(next))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.kick:
		}
	}
}

// sweep takes up what is due, and returns when to look next.
func (s *sweeper) sweep(ctx context.Context, now time.Time) (time.Time, error) {
	ids, next, err := s.n.ledger.records.Due(ctx, now, sweepBatch)
	if err != nil {
		return now, err
	}
	var failed error
	for _, id := range ids {
		err := retryConflicts(func() error { return s.take(ctx, id) })
		if err != nil && !errors.Is(err, backend.ErrNotFound) {
			failed = err
		}
	}
	switch latest := now.Add(sweepEvery); {
	case failed != nil:
		return now, failed
	case len(ids) == sweepBatch:
		return now, nil
	case next.IsZero() || next.After(latest):
		return latest, nil
	default:
		return next, nil
	}
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
		_, err = ledger.store(ctx, r.record, r.revision)
		return err
	}
	_, err = ledger.save(ctx, c.finish(), r.revision)
	return err
}
