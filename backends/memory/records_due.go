package memory

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Due implements [backend.Records].
func (r *Records) Due(ctx context.Context, now time.Time, limit int) (ids []string, next time.Time, err error) {
	if err := r.check(ctx); err != nil {
		return nil, next, fmt.Errorf("memory: find due records: %w", err)
	}
	type found struct {
		id  string
		due time.Time
	}
	var all []found
	earlier := func(at time.Time) {
		if !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		entries, at := s.due.due(now, limit)
		for _, e := range entries {
			all = append(all, found{e.ID, e.Due})
		}
		s.mu.Unlock()
		earlier(at)
	}
	slices.SortStableFunc(all, func(a, b found) int { return a.due.Compare(b.due) })
	for i, f := range all {
		if i >= limit {
			earlier(f.due)
			break
		}
		ids = append(ids, f.id)
	}
	return ids, next, nil
}

// Expire implements [backend.Records].
func (r *Records) Expire(ctx context.Context, now time.Time, limit int) (int, error) {
	if err := r.check(ctx); err != nil {
		return 0, fmt.Errorf("memory: expire records: %w", err)
	}
	return r.expire(now, limit), nil
}

func (r *Records) expire(now time.Time, limit int) (n int) {
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		for n < limit {
			e := s.expires.first(now)
			if e == nil || !e.Expires.Before(now) {
				break
			}
			r.remove(s, e)
			n++
		}
		s.mu.Unlock()
	}
	return n
}

// makeRoom drops what has expired; if that is nothing, then of each stripe the
// record that expires first of those that wait for nothing.
func (r *Records) makeRoom() {
	if r.expire(time.Now(), stripes) > 0 {
		return
	}
	ever := time.Unix(1<<40, 0)
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		if e := s.idle.first(ever); e != nil {
			r.remove(s, e)
		}
		s.mu.Unlock()
	}
}
