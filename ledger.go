package notify

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// ledger keeps the records, and publishes what they decided: moves (1) and (2).
// Where the backend keeps the records too, both are one transaction.
type ledger struct {
	decider *decider
	codec   *codec
	records backend.Records
	// atomic, local and delayed are the backend's powers, or nil.
	atomic    committer
	local     backend.LocalPublisher
	delayed   backend.DelayedPublisher
	publisher message.Publisher
	// carried is not nil where the records are [NoRecords].
	carried   *carried
	retention time.Duration
	foreign   bool // all of it goes into a transaction of the host's
	hooks     *atomic.Pointer[Hooks]
	// changed is called with the ID and the due time after each write.
	changed func(id string, due time.Time)
}

// committer is what the ledger needs of a [backend.Atomic].
type committer interface {
	Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error)
}

// stored is a record as it was read or written, with its revision.
type stored struct {
	*record
	revision int64
}

func (l *ledger) load(ctx context.Context, id string) (stored, error) {
	return l.loaded(l.records.Load(ctx, id))
}

func (l *ledger) loadAlias(ctx context.Context, alias string) (stored, error) {
	return l.loaded(l.records.LoadAlias(ctx, alias))
}

func (l *ledger) loaded(read backend.Record, err error) (stored, error) {
	if err != nil {
		return stored{}, fmt.Errorf("notify: load a record: %w", err)
	}
	r, err := recordOf(read, l.codec)
	return stored{record: r, revision: read.Revision}, err
}

// save stores next in place of the revision, and publishes what it caused.
// After an error that wraps backend.ErrConflict the caller loads and decides
// again.
func (l *ledger) save(ctx context.Context, next *record, revision int64) (stored, error) {
	if l.atomic == nil {
		s, err := l.store(ctx, next, revision)
		if err != nil {
			return s, err
		}
		l.raised(next)
		return l.flush(ctx, s)
	}
	out, err := l.publications(next)
	if err != nil {
		return stored{}, err
	}
	next.markPublished(func(int64) bool { return true })
	row := l.row(next, revision)
	row.Revision, err = l.atomic.Commit(ctx, row, out)
	if errors.Is(err, backend.ErrOverloaded) {
		all := len(out)
		if out = next.withoutDelayed(out); len(out) < all {
			row = l.row(next, revision)
			row.Revision, err = l.atomic.Commit(ctx, row, out)
		}
	}
	if err != nil {
		return stored{}, fmt.Errorf("notify: commit the record %s: %w", next.ID, err)
	}
	l.changed(next.ID, row.Due)
	l.raised(next)
	return stored{record: next, revision: row.Revision}, nil
}

// raised tells the hook what the change that was stored has raised.
func (l *ledger) raised(r *record) {
	h := l.hooks.Load()
	if h == nil || h.Raised == nil {
		return
	}
	for i := range r.Outbox {
		if e := &r.Outbox[i]; e.event != nil && e.seq > r.oldSeq {
			h.Raised(r.event(e.event))
		}
	}
}

// commit saves what was decided on the record.
func (l *ledger) commit(ctx context.Context, s stored, c *change) error {
	_, err := l.save(ctx, c.finish(), s.revision)
	return err
}

func (l *ledger) store(ctx context.Context, next *record, revision int64) (stored, error) {
	row := l.row(next, revision)
	revision, err := l.records.Store(ctx, row)
	if err != nil {
		return stored{}, fmt.Errorf("notify: store the record %s: %w", next.ID, err)
	}
	l.changed(next.ID, row.Due)
	return stored{record: next, revision: revision}, nil
}

// row is the record as a store keeps it. The record is not stored yet.
func (l *ledger) row(r *record, revision int64) backend.Record {
	now := time.Now()
	r.codec = l.codec
	expires := later(r.Deadline, now).Add(maxReceiptWindow + l.retention)
	switch {
	case r.settled():
		expires = r.SettledAt.Add(l.retention)
	case r.isTombstone():
		expires = r.Deadline
	}
	return backend.Record{
		ID: r.ID, Revision: revision, Body: r,
		Aliases: r.Aliases, Due: l.decider.due(r, now), Expires: expires,
	}
}

// flush publishes everything unpublished, oldest first, and marks exactly that
// (2). It may be called with a record that was written by others.
func (l *ledger) flush(ctx context.Context, s stored) (stored, error) {
	if !s.unpublished() {
		return s, nil
	}
	out, err := l.publications(s.record)
	if err != nil {
		return s, err
	}
	var left time.Time
	for _, p := range out {
		err := l.publish(ctx, p)
		if !p.At.IsZero() && errors.Is(err, backend.ErrOverloaded) && l.carried == nil {
			left = earlier(left, p.At)
		} else if err != nil {
			return s, err
		}
	}
	published := map[int64]bool{}
	for _, e := range s.Outbox {
		published[e.seq] = true
	}
	for {
		next := s.clone()
		next.markPublished(func(seq int64) bool { return published[seq] || !l.decider.keeps(ruleV9) })
		next.SweepAt = earlier(next.SweepAt, left)
		marked, err := l.store(ctx, next, s.revision)
		if !errors.Is(err, backend.ErrConflict) {
			if err != nil {
				return s, err
			}
			return marked, nil
		}
		now, err := l.load(ctx, s.ID)
		if err != nil {
			return s, err
		}
		s = now
		if !s.anyUnpublished(published) {
			return s, nil // somebody else published and marked it too
		}
	}
}

// conflictsAtOnce is how many conflicts in a row need no pause: whoever won has
// moved on.
const conflictsAtOnce = 8

// retryConflicts runs a step again while another one changed the record: at
// once at first, then with pauses, until ctx ends.
func retryConflicts(ctx context.Context, step func() error) error {
	for n := 1; ; n++ {
		err := step()
		if !errors.Is(err, backend.ErrConflict) {
			return err
		}
		if n < conflictsAtOnce {
			continue
		}
		if !sleep(ctx, backoff(time.Millisecond, time.Second)(n-conflictsAtOnce+1)) {
			return err
		}
	}
}
