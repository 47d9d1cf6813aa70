package notify

import (
	"context"
	"errors"
	"fmt"
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
	atomic    backend.Atomic
	local     backend.LocalPublisher
	delayed   backend.DelayedPublisher
	publisher message.Publisher
	retention time.Duration
	// changed is called with the ID and the due time after each write.
	changed func(id string, due time.Time)
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
	return stored{record: next, revision: row.Revision}, nil
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
		if !p.At.IsZero() && errors.Is(err, backend.ErrOverloaded) {
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

func (r *record) anyUnpublished(of map[int64]bool) bool {
	for i := range r.Outbox {
		if !r.Outbox[i].published && of[r.Outbox[i].seq] {
			return true
		}
	}
	return false
}

// publications are the messages of what is unpublished. Work for later is left
// out where the backend cannot hold it: the sweep brings it back in time.
func (l *ledger) publications(r *record) ([]backend.Publication, error) {
	count := 0
	for i := range r.Outbox {
		if !r.Outbox[i].published {
			count++
		}
	}
	out := make([]backend.Publication, 0, count)
	for i := range r.Outbox {
		e := &r.Outbox[i]
		switch {
		case e.published, e.work != nil && !e.work.At.IsZero() && l.delayed == nil:
			continue
		case e.event != nil:
			m, err := l.factMessage(r.fact(l.codec, e.event))
			if err != nil {
				return nil, err
			}
			out = append(out, backend.Publication{Topic: eventsTopic, Message: m})
		default:
			m, err := l.workMessage(e.work)
			if err != nil {
				return nil, err
			}
			out = append(out, backend.Publication{Topic: e.work.Topic, Message: m, At: e.work.At})
		}
	}
	return out, nil
}

func (l *ledger) factMessage(f *fact) (*message.Message, error) {
	if l.local != nil {
		return f.message(), nil
	}
	return l.codec.encode(f)
}

func (l *ledger) workMessage(w *work) (*message.Message, error) {
	if l.local != nil {
		return w.local(), nil
	}
	return w.wire()
}

func (l *ledger) publish(ctx context.Context, p backend.Publication) error {
	var err error
	switch {
	case !p.At.IsZero():
		err = l.delayed.PublishAt(ctx, p.At, p.Topic, p.Message)
	case l.local != nil:
		err = l.local.PublishLocal(time.Now(), p.Topic, p.Message)
	default:
		p.Message.SetContext(ctx)
		err = l.publisher.Publish(p.Topic, p.Message)
	}
	if err != nil {
		return fmt.Errorf("notify: publish to %s: %w", p.Topic, err)
	}
	return nil
}

// putBack publishes work again for a later time (3). Where the backend cannot
// hold it, the record's due time brings it back.
func (l *ledger) putBack(ctx context.Context, w work, at time.Time) error {
	if !l.decider.keeps(ruleV7) || l.delayed == nil {
		return nil
	}
	err := l.publishAt(ctx, w, at)
	if errors.Is(err, backend.ErrOverloaded) {
		return retryConflicts(ctx, func() error { return l.leaveToSweep(ctx, w.ID, at) })
	}
	return err
}

// publishAt has the backend hold work until a time.
func (l *ledger) publishAt(ctx context.Context, w work, at time.Time) error {
	w.At = at
	m, err := l.workMessage(&w)
	if err != nil {
		return err
	}
	return l.publish(ctx, backend.Publication{Topic: w.Topic, Message: m, At: at})
}

// leaveToSweep has the sweep bring work that the backend has no room to hold
// until its time.
func (l *ledger) leaveToSweep(ctx context.Context, id string, at time.Time) error {
	s, err := l.load(ctx, id)
	if err != nil {
		return err
	}
	next := s.clone()
	next.SweepAt = earlier(next.SweepAt, at)
	_, err = l.store(ctx, next, s.revision)
	return err
}

// emit publishes an event that no record holds, and that is seen now.
func (l *ledger) emit(ctx context.Context, f *fact) error {
	if l.local != nil {
		if err := l.local.PublishLocal(f.Seen, eventsTopic, f.alone[:]...); err != nil {
			return fmt.Errorf("notify: publish to %s: %w", eventsTopic, err)
		}
		return nil
	}
	m, err := l.factMessage(f)
	if err != nil {
		return err
	}
	return l.publish(ctx, backend.Publication{Topic: eventsTopic, Message: m})
}

// maxReceiptWindow is the longest that a provider may be waited for.
const maxReceiptWindow = 30 * 24 * time.Hour
