package sqlite

import (
	"context"
	"database/sql"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// Load implements [backend.Records]. The Body of a record that was written not
// long ago is the value that was handed over.
func (b *Backend) Load(ctx context.Context, id string) (backend.Record, error) {
	r, err := b.load(ctx, func(s *store) (backend.Record, error) {
		known, ok := s.bodies.find(id)
		if !ok {
			return s.readRecord("body", "WHERE id = ?", id)
		}
		r, err := s.readRecord("x''", "WHERE id = ?", id)
		if err != nil {
			return r, err
		}
		// What was read may be a later record of that ID, with the same revision.
		if still, _ := s.bodies.find(id); still != known || r.Revision != known.revision {
			return s.readRecord("body", "WHERE id = ?", id)
		}
		r.Body = known.value
		return r, nil
	})
	if err != nil {
		return backend.Record{}, fmt.Errorf("sqlite: load record %q: %w", id, err)
	}
	return r, nil
}

// LoadAlias implements [backend.Records].
func (b *Backend) LoadAlias(ctx context.Context, alias string) (backend.Record, error) {
	r, err := b.load(ctx, func(s *store) (backend.Record, error) {
		return s.readRecord("body", "WHERE id = (SELECT record FROM aliases WHERE alias = ?)", alias)
	})
	if err != nil {
		return backend.Record{}, fmt.Errorf("sqlite: load a record by alias: %w", err)
	}
	return r, nil
}

func (b *Backend) load(ctx context.Context, read func(*store) (backend.Record, error)) (backend.Record, error) {
	s, err := b.enter(ctx)
	if err != nil {
		return backend.Record{}, err
	}
	defer b.leave()
	return read(s)
}

// body is the content of a record as it was handed over, at a revision.
type body struct {
	revision int64
	value    encoding.BinaryAppender
}

func (s *store) readRecord(column, where, name string) (r backend.Record, err error) {
	var data, aliases []byte
	var due, expires sql.NullString
	err = s.reads.row("SELECT id, revision, "+column+`, due, expires,
		(SELECT json_group_array(alias) FROM aliases WHERE record = records.id) FROM records `+where,
		[]any{name}, &r.ID, &r.Revision, &data, &due, &expires, &aliases)
	if isNoRows(err) {
		return r, backend.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(aliases, &r.Aliases)
	}
	if len(r.Aliases) == 0 {
		r.Aliases = nil
	}
	r.Body, r.Due, r.Expires = backend.Bytes(data), moment(due), moment(expires)
	return r, err
}

// Store implements [backend.Records].
func (b *Backend) Store(ctx context.Context, r backend.Record) (int64, error) {
	return b.store(ctx, r, nil)
}

// store writes the record and publishes, or does neither.
func (b *Backend) store(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		revision, err = s.storeRecord(ctx, r, out)
	}
	switch {
	case err == nil:
		return revision, nil
	case len(r.ID) > 255:
		return 0, fmt.Errorf("sqlite: store a record: %w", err)
	}
	return 0, fmt.Errorf("sqlite: store record %q: %w", r.ID, err)
}

func (s *store) storeRecord(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	switch {
	case r.ID == "":
		return 0, errors.New("the ID is empty")
	case len(r.ID) > 255:
		return 0, fmt.Errorf("the ID has %d bytes; at most 255 are allowed", len(r.ID))
	case r.Body == nil:
		return 0, errors.New("the body is missing")
	}
	data, err := r.Body.AppendBinary(nil)
	if err != nil {
		return 0, fmt.Errorf("encode the body: %w", err)
	}
	if len(data) > maxMessage {
		return 0, fmt.Errorf("the body has %d bytes; at most %d are allowed", len(data), maxMessage)
	}
	p, err := postOf(out)
	if err != nil {
		return 0, err
	}
	// By the caller: there are many of them, and one writer.
	columns := recordColumns{due: optional(r.Due), expires: optional(r.Expires), body: content(data)}
	err = s.writer.do(ctx, p.size+len(data), func(t *tx) error {
		if err := t.writeRecord(r, columns); err != nil {
			return err
		}
		t.onCommit(func() { s.bodies.keep(r.ID, &body{r.Revision + 1, r.Body}) })
		return t.post(p)
	})
	return r.Revision + 1, err
}

// recordColumns are what is stored of a record beside its ID and revision.
type recordColumns struct{ due, expires, body any }

// writeRecord writes the record over its revision.
func (t *tx) writeRecord(r backend.Record, c recordColumns) (err error) {
	var n int64
	if r.Revision == 0 {
		n, err = t.insert(t.records, r.ID, c.due, c.expires, c.body)
	} else if err = t.records.flush(t); err == nil {
		n, err = t.direct("UPDATE records SET revision = revision + 1, due = ?, expires = ?, body = ? WHERE id = ? AND revision = ?",
			c.due, c.expires, c.body, r.ID, r.Revision)
	}
	if err == nil && n == 0 {
		err = t.conflict(r.ID, r.Revision)
	}
	if err == nil && r.Revision == 0 {
		t.count(&t.store.records, 1)
		err = t.makeRoom(r.ID)
	}
	for _, alias := range r.Aliases {
		if err == nil {
			_, err = t.exec("INSERT INTO aliases (alias, record) VALUES (?, ?) ON CONFLICT DO NOTHING", alias, r.ID)
		}
	}
	return err
}

var errGone = fmt.Errorf("it is gone: %w", backend.ErrConflict)

// conflict says that the record has not the revision; the error wraps errGone if
// there is no record.
func (t *tx) conflict(id string, want int64) error {
	var has int64
	err := t.row("SELECT revision FROM records WHERE id = ?", []any{id}, &has)
	switch {
	case isNoRows(err):
		return fmt.Errorf("revision %d was expected: %w", want, errGone)
	case err != nil:
		return err
	}
	return fmt.Errorf("it has revision %d, and %d was expected: %w", has, want, backend.ErrConflict)
}

// makeRoom keeps the cap, after the record has been added. If there are many more,
// since the cap was another, it takes some steps; in each at least one goes.
func (t *tx) makeRoom(added string) error {
	most, before := t.store.config.MaxRecords, t.store.records
	if before <= most {
		return nil
	}
	if err := t.expire(text(t.now), expires); err != nil || t.store.records <= most {
		return err
	}
	_, err := t.dropRecords(`WHERE id IN (SELECT id FROM records
		WHERE due IS NULL AND expires IS NOT NULL AND id != ? ORDER BY expires LIMIT ?)`, added, min(t.store.records-most, expires))
	if err == nil && t.store.records == before {
		err = fmt.Errorf("%d records are kept already: %w", most, backend.ErrOverloaded)
	}
	return err
}

// Delete implements [backend.Records].
func (b *Backend) Delete(ctx context.Context, id string, revision int64) error {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		err = s.do(ctx, func(t *tx) error { return t.deleteRecord(id, revision) })
	}
	if err != nil {
		return fmt.Errorf("sqlite: delete record %q: %w", id, err)
	}
	return nil
}

func (t *tx) deleteRecord(id string, revision int64) error {
	n, err := t.dropRecords("WHERE id = ? AND revision = ?", id, revision)
	if err != nil || n > 0 {
		return err
	}
	if err = t.conflict(id, revision); errors.Is(err, errGone) {
		return nil
	}
	return err
}
