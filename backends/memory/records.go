package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Records keeps records and dead letters by itself, for a program whose backend
// has none. What it holds is lost with the process, and other processes do not
// see it.
type Records struct {
	*letters
	present

	max    int
	seed   maphash.Seed
	size   atomic.Int64
	closed atomic.Bool

	stripes [stripes]stripe
	aliases aliases
}

// NewRecords returns an empty store; of the Config, MaxRecords and
// MaxDeadLetters matter. It needs no closing.
func NewRecords(opts ...func(*Config)) *Records { return newRecords(newConfig(opts)) }

func newRecords(c Config) *Records {
	r := &Records{letters: newLetters(c), max: c.MaxRecords, seed: maphash.MakeSeed()}
	r.aliases.holders = make(map[string]string)
	for i := range r.stripes {
		r.stripes[i].init()
	}
	return r
}

func (r *Records) stripe(id string) *stripe {
	return &r.stripes[maphash.String(r.seed, id)%stripes]
}

// Load implements [backend.Records]. The record's Body is the value stored.
func (r *Records) Load(ctx context.Context, id string) (backend.Record, error) {
	if err := r.check(ctx); err != nil {
		return backend.Record{}, fmt.Errorf("memory: load record %q: %w", id, err)
	}
	s := r.stripe(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byID[id]
	if e == nil {
		return backend.Record{}, fmt.Errorf("memory: load record %q: %w", id, backend.ErrNotFound)
	}
	record := e.Record
	record.Aliases = slices.Clone(record.Aliases)
	return record, nil
}

// LoadAlias implements [backend.Records].
func (r *Records) LoadAlias(ctx context.Context, alias string) (backend.Record, error) {
	id, ok := r.aliases.holder(alias)
	err := r.check(ctx)
	if err == nil && !ok {
		err = backend.ErrNotFound
	}
	if err != nil {
		return backend.Record{}, fmt.Errorf("memory: load a record by alias: %w", err)
	}
	record, err := r.Load(ctx, id)
	if err == nil && !slices.Contains(record.Aliases, alias) {
		// The record changed hands between the two looks.
		return backend.Record{}, fmt.Errorf("memory: load a record by alias: %w", backend.ErrNotFound)
	}
	return record, err
}

// Store implements [backend.Records].
func (r *Records) Store(ctx context.Context, record backend.Record) (int64, error) {
	return r.store(ctx, record, func() error { return nil })
}

// store writes the record and does then, or neither.
func (r *Records) store(ctx context.Context, record backend.Record, then func() error) (revision int64, err error) {
	switch {
	case record.ID == "":
		err = errors.New("the ID is empty")
	case len(record.ID) > 255:
		return 0, fmt.Errorf("memory: store a record: the ID has %d bytes; at most 255 are allowed", len(record.ID))
	default:
		err = r.check(ctx)
	}
	if err == nil {
		if record.Revision == 0 && r.size.Load() >= int64(r.max) {
			r.makeRoom()
		}
		s := r.stripe(record.ID)
		s.mu.Lock()
		defer s.mu.Unlock()
		revision, err = r.write(s, record, then)
	}
	if err != nil {
		return 0, fmt.Errorf("memory: store record %q: %w", record.ID, err)
	}
	return revision, nil
}

// write is store with the stripe's lock held.
func (r *Records) write(s *stripe, record backend.Record, then func() error) (int64, error) {
	e := s.byID[record.ID]
	switch {
	case e == nil && record.Revision != 0:
		return 0, fmt.Errorf("it is gone, and revision %d was expected: %w", record.Revision, backend.ErrConflict)
	case e != nil && e.Revision != record.Revision:
		return 0, fmt.Errorf("it has revision %d, and %d was expected: %w", e.Revision, record.Revision, backend.ErrConflict)
	case e == nil && r.size.Add(1) > int64(r.max):
		r.size.Add(-1)
		return 0, fmt.Errorf("%d records are kept already: %w", r.max, backend.ErrOverloaded)
	}
	fresh := e == nil
	if fresh {
		e = &entry{}
	}
	added := r.aliases.add(record.ID, record.Aliases)
	if err := then(); err != nil {
		r.aliases.remove(added)
		if fresh {
			r.size.Add(-1)
		}
		return 0, err
	}
	if fresh {
		s.byID[record.ID] = e
	}
	record.Aliases = slices.Concat(e.Aliases, added)
	record.Revision++
	e.Record = record
	s.due.set(e, record.Due)
	s.expires.set(e, record.Expires)
	if record.Due.IsZero() {
		s.idle.set(e, record.Expires)
	} else {
		s.idle.set(e, time.Time{})
	}
	s.compact()
	return record.Revision, nil
}

// Delete implements [backend.Records].
func (r *Records) Delete(ctx context.Context, id string, revision int64) error {
	if err := r.check(ctx); err != nil {
		return fmt.Errorf("memory: delete record %q: %w", id, err)
	}
	s := r.stripe(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := s.byID[id]; {
	case e == nil:
	case e.Revision != revision:
		return fmt.Errorf("memory: delete record %q: it has revision %d, and %d was expected: %w", id, e.Revision, revision, backend.ErrConflict)
	default:
		r.remove(s, e)
	}
	return nil
}

// remove deletes an entry of the stripe, whose lock is held.
func (r *Records) remove(s *stripe, e *entry) {
	e.deleted = true
	e.Body = nil // stale items of the schedules may keep e for a while
	delete(s.byID, e.ID)
	r.size.Add(-1)
	r.aliases.remove(e.Aliases)
	s.compact()
}

func (r *Records) check(ctx context.Context) error {
	if r.closed.Load() {
		return backend.ErrClosed
	}
	return ctx.Err()
}

func (r *Records) close() {
	r.closed.Store(true)
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		s.init()
		s.due.heap, s.expires.heap, s.idle.heap = nil, nil, nil
		s.mu.Unlock()
	}
	r.aliases.clear()
}
