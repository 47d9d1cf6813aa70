package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Codec turns events into messages and back. A [notify.Notifier] is one.
type Codec = timeline.Codec

// Timeline returns the store of the file's timeline:
//
//	n.Attach(timeline.New(b.Timeline(n)))
//
// Beside [Config.TimelineFor], [Config.MaxTimeline] and
// [Config.MaxTimelineEvents] nothing is left out.
func (b *Backend) Timeline(codec Codec) timeline.Store { return &timelines{backend: b, codec: codec} }

type timelines struct {
	backend *Backend
	codec   Codec
	recent  recent[stored]
}

// errMoved: somebody else added to the entry since it was read.
var errMoved = errors.New("the entry has changed")

// Add implements [timeline.Store].
func (s *timelines) Add(ctx context.Context, e notify.Event[any]) error {
	if e.NotificationID == "" {
		return &notify.FieldError{Field: "Event.NotificationID", Problem: "must not be empty"}
	}
	m, err := s.codec.Encode(e)
	var r *row
	if err == nil {
		r, err = rowOf(m)
	}
	if err != nil {
		return fmt.Errorf("sqlite: add event %q to the timeline: %w", e.ID, err)
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		for err = errMoved; errors.Is(err, errMoved); {
			if err = s.add(ctx, opened, e, r); err != nil {
				s.recent.drop(e.NotificationID)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("sqlite: add event %q to the timeline: %w", e.ID, err)
	}
	return nil
}

// add works out what the event makes of the entry beside the writer, which then
// only sees that nothing has changed meanwhile.
func (s *timelines) add(ctx context.Context, opened *store, e notify.Event[any], r *row) error {
	h, known := s.recent.find(e.NotificationID)
	if !known {
		var err error
		if h, err = s.read(ctx, opened.file.read, e.NotificationID); err == nil {
			err = h.unreadable
		}
		if err != nil {
			return err
		}
		h.tags = tagsOf(timeline.NewEntry(h.events...))
	}
	events, leftOut := timeline.Append(h.events, e, opened.config.MaxTimelineEvents)
	switch {
	case leftOut && !h.truncated:
		s.recent.drop(e.NotificationID)
		return opened.do(ctx, func(t *tx) error {
			_, err := t.exec("UPDATE timeline SET truncated = 1 WHERE notification = ?", e.NotificationID)
			return err
		})
	case len(events) == len(h.events):
		return nil
	}
	entry := timeline.NewEntry(events...)
	next := stored{version: h.version + 1, truncated: h.truncated, events: events, tags: tagsOf(entry)}
	refused := false
	err := opened.writer.do(ctx, r.size, func(t *tx) (err error) {
		if refused, err = t.wasErased(&e.Envelope); refused || err != nil {
			return err
		}
		err = t.addEvent(entry, h.version, e, r)
		if err == nil && !h.tags.same(next.tags) {
			err = t.tag(e.NotificationID, next.tags)
		}
		return err
	})
	switch {
	case refused:
		s.recent.drop(e.NotificationID)
	case err == nil:
		s.recent.keep(e.NotificationID, next)
	}
	return err
}

func (t *tx) addEvent(entry timeline.Entry, version int, e notify.Event[any], r *row) error {
	columns := []any{
		text(entry.At), entry.Status.RecipientID, entry.Status.Tenant, entry.Status.Category,
		string(entry.Status.State), entry.Status.Settled, e.NotificationID,
	}
	query := `INSERT INTO timeline (at, recipient, tenant, category, state, settled, notification, version, truncated)
		VALUES (?, ?, ?, ?, ?, ?, ?, 1, 0) ON CONFLICT DO NOTHING`
	if version > 0 {
		query = `UPDATE timeline SET at = ?, recipient = ?, tenant = ?, category = ?, state = ?, settled = ?, version = version + 1
			WHERE notification = ? AND version = ?`
		columns = append(columns, version)
	}
	n, err := t.exec(query, columns...)
	switch {
	case err != nil:
		return err
	case n == 0:
		return errMoved
	case version == 0:
		t.count(&t.store.timelines, 1)
	}
	_, err = t.exec("INSERT INTO timeline_events (notification, n, id, type, time, metadata, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
		e.NotificationID, version, e.ID, e.Type, text(e.Time), r.metadata, r.payload)
	return err
}

// Get implements [timeline.Store].
func (s *timelines) Get(ctx context.Context, id string) (timeline.Entry, error) {
	opened, err := s.backend.enter(ctx)
	var h stored
	if err == nil {
		defer s.backend.leave()
		h, err = s.read(ctx, opened.file.read, id)
		switch {
		case err != nil:
		case h.version == 0:
			err = notify.ErrNotFound
		default:
			err = h.unreadable
		}
	}
	if err != nil {
		return timeline.Entry{}, fmt.Errorf("sqlite: timeline of notification %q: %w", id, err)
	}
	return h.entry(), nil
}

// stored is an entry as the file has it. Version counts its events.
type stored struct {
	version   int
	truncated bool
	events    []notify.Event[any]
	tags      tags
	// unreadable is what is wrong with an event that does not decode, if there is one.
	unreadable error
}

func (h *stored) entry() timeline.Entry {
	entry := timeline.NewEntry(h.events...)
	entry.Truncated = h.truncated || h.unreadable != nil
	return entry
}

// queryer is a pool of connections, or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// read reads the entry; its version is 0 if there is none.
func (s *timelines) read(ctx context.Context, from queryer, id string) (h stored, err error) {
	rows, err := from.QueryContext(ctx, `SELECT t.version, t.truncated, e.id, e.metadata, e.data
		FROM timeline t JOIN timeline_events e USING (notification) WHERE t.notification = ? ORDER BY e.n`, id)
	if err != nil {
		return h, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := ctx.Err(); err != nil { // before rows knows
			return h, err
		}
		var r storedRow
		if err := rows.Scan(&h.version, &h.truncated, &r.uuid, &r.metadata, &r.payload); err != nil {
			return h, err
		}
		e, err := s.codec.Decode(r.message(int64(len(h.events))))
		if err != nil {
			h.unreadable = fmt.Errorf("decode event %q: %w", r.uuid, err)
			continue
		}
		h.events = append(h.events, e)
	}
	return h, rows.Err()
}

// tags are what an entry is found by.
type tags struct {
	at  string
	all []timeline.Tag
}

func tagsOf(e timeline.Entry) tags { return tags{text(e.At), e.Tags()} }

func (t tags) same(other tags) bool { return t.at == other.at && slices.Equal(t.all, other.all) }

// tag replaces what the entry is found by.
func (t *tx) tag(notification string, tags tags) error {
	_, err := t.exec("DELETE FROM timeline_tags WHERE notification = ?", notification)
	for _, tag := range tags.all {
		if err == nil {
			_, err = t.exec("INSERT INTO timeline_tags (name, value, at, notification) VALUES (?, ?, ?, ?)", tag.Name, tag.Value, tags.at, notification)
		}
	}
	return err
}

// expireTimeline deletes the next entries of the timeline that are too old or
// too many, and returns how many.
func (t *tx) expireTimeline(now time.Time) (int, error) {
	c := t.store.config
	n, err := t.exec(`DELETE FROM timeline WHERE notification IN
		(SELECT notification FROM timeline WHERE at < ? ORDER BY at LIMIT ?)`, text(now.Add(-c.TimelineFor)), drops)
	t.count(&t.store.timelines, -int(n))
	if surplus := t.store.timelines - c.MaxTimeline; err == nil && surplus > 0 && n < drops {
		var more int64
		more, err = t.exec("DELETE FROM timeline WHERE notification IN (SELECT notification FROM timeline ORDER BY at LIMIT ?)", min(surplus, drops))
		t.count(&t.store.timelines, -int(more))
		n += more
	}
	return int(n), err
}
