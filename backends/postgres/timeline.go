package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Codec turns events into messages and back. A [notify.Notifier] is one.
type Codec = timeline.Codec

// Timeline returns the store of the database's timeline:
//
//	n.Attach(timeline.New(records.Timeline(n)))
//
// Beside [Config.TimelineFor], [Config.MaxTimeline] and
// [Config.MaxTimelineEvents] nothing is left out. What is too old or too much is
// deleted once a minute, and then at each use until there is none, in steps of up to
// 1,000 notifications, 1,000 contents and as many of those erased.
func (s *Store) Timeline(codec Codec) timeline.Store { return &timelines{store: s, codec: codec} }

type timelines struct {
	store *Store
	codec Codec

	gauge     gauge
	additions additions

	mu      sync.Mutex
	expired time.Time // when all that was too old was deleted
}

// Add implements [timeline.Store].
func (t *timelines) Add(ctx context.Context, e notify.Event[any]) error {
	if e.NotificationID == "" {
		return &notify.FieldError{Field: "Event.NotificationID", Problem: "must not be empty"}
	}
	m, err := t.codec.Encode(e)
	var metadata string
	if err == nil {
		metadata, err = encodeMetadata(m.Metadata)
	}
	if err == nil {
		err = t.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			if err := t.expire(ctx, pool); err != nil {
				return err
			}
			return t.adding(ctx, pool, &addition{event: e, metadata: metadata, payload: append([]byte{}, m.Payload...)})
		})
	}
	if err != nil {
		return fmt.Errorf("postgres: add event %q to the timeline: %w", e.ID, err)
	}
	return nil
}

// stored is an entry as the database has it.
type stored struct {
	id        string
	truncated bool
	events    []notify.Event[any]
	at        time.Time
	// unreadable is what is wrong with an event that does not decode, if there is one.
	unreadable error
}

func (h *stored) entry() timeline.Entry {
	entry := timeline.NewEntry(h.events...)
	entry.Truncated = h.truncated
	if h.unreadable != nil { // which may have said where it belongs
		entry.At, entry.Status.NotificationID, entry.Truncated = h.at.UTC(), h.id, true
	}
	return entry
}

// oneEntry finds the row of an entry.
const oneEntry = "select id, at, truncated from {s}.timeline where id = $1"

// query reads entries at one moment, the newest first. Which finds their rows.
func (t *timelines) query(which string) string {
	return t.store.config.sql(`
select t.id, t.truncated, t.at, e.id, e.metadata, e.payload from (` + which + `) t
join {s}.timeline_event e on e.notification = t.id order by t.at desc, t.id desc, e.seq`)
}

func (t *timelines) read(ctx context.Context, pool *pgxpool.Pool, which string, args ...any) ([]stored, error) {
	rows, err := pool.Query(ctx, t.query(which), args...)
	if err != nil {
		return nil, err
	}
	return t.scan(rows)
}

func (t *timelines) scan(rows pgx.Rows) (page []stored, err error) {
	var h stored
	var uuid string
	var metadata, payload []byte
	_, err = pgx.ForEachRow(rows, []any{&h.id, &h.truncated, &h.at, &uuid, &metadata, &payload}, func() error {
		m, err := newMessage(uuid, metadata, payload)
		payload = nil // it is the message's now
		if err != nil {
			return err
		}
		if len(page) == 0 || page[len(page)-1].id != h.id {
			page = append(page, h)
		}
		last := &page[len(page)-1]
		if e, err := t.decode(m); err != nil {
			last.unreadable = err
		} else {
			last.events = append(last.events, e)
		}
		return nil
	})
	return page, err
}

// readable returns what is wrong with entries of which some events do not decode.
func readable(page []stored) error {
	for i := range page {
		if err := page[i].unreadable; err != nil {
			return err
		}
	}
	return nil
}

// Get implements [timeline.Store].
func (t *timelines) Get(ctx context.Context, id string) (entry timeline.Entry, err error) {
	err = t.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := t.expire(ctx, pool); err != nil {
			return err
		}
		page, err := t.read(ctx, pool, oneEntry, text(id))
		switch {
		case err != nil:
			return err
		case len(page) == 0:
			return notify.ErrNotFound
		}
		entry = page[0].entry()
		return readable(page)
	})
	if err != nil {
		return timeline.Entry{}, fmt.Errorf("postgres: timeline of notification %q: %w", id, err)
	}
	return entry, nil
}

// List implements [timeline.Store].
func (t *timelines) List(ctx context.Context, q timeline.Query) (page timeline.Page, err error) {
	q, after, err := q.Resolve()
	if err != nil {
		return page, err
	}
	err = t.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := t.expire(ctx, pool); err != nil {
			return err
		}
		query, args := listQuery(q, after)
		found, err := t.read(ctx, pool, query, planned(pool, args)...)
		if err != nil {
			return err
		}
		for _, h := range found[:min(len(found), q.Limit)] {
			page.Entries = append(page.Entries, h.entry())
		}
		if len(found) > q.Limit {
			page.Next = page.Entries[q.Limit-1].Position().Cursor()
		}
		return nil
	})
	if err != nil {
		return timeline.Page{}, fmt.Errorf("postgres: list the timeline: %w", err)
	}
	return page, nil
}

// planned has a query planned for these arguments. Where the pool prepares statements,
// the server soon has one plan for all, which takes a channel that nearly all went
// over for as rare as a label's value.
func planned(pool *pgxpool.Pool, args []any) []any {
	if pool.Config().ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement {
		return args // it has no plans for all
	}
	return append([]any{pgx.QueryExecModeDescribeExec}, args...)
}

// listQuery finds the page's rows, and one more if there is one.
func listQuery(q timeline.Query, after timeline.Position) (query string, args []any) {
	where := []string{"true"}
	and := func(condition string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		where = append(where, condition)
	}
	from, list := "{s}.timeline t", "t"
	// A label before a channel, which nearly all may have gone over, and that before
	// the tenant without a name, which all may be of.
	byTag := q.RecipientID == "" && (q.Tenant == "" || len(q.Labels) > 0)
	for _, tag := range slices.Backward(q.Tags()) {
		if byTag { // its index is in the list's order
			from, list = "{s}.timeline_tag g join {s}.timeline t on t.id = g.id", "g"
			and("g.name = ? and g.value = ?", text(tag.Name), text(tag.Value))
			byTag = false
			continue
		}
		and("exists (select from {s}.timeline_tag x where x.name = ? and x.value = ? and x.at = t.at and x.id = t.id)", text(tag.Name), text(tag.Value))
	}
	if q.RecipientID != "" {
		and("t.recipient = ?", text(q.RecipientID))
	}
	switch {
	case q.AllTenants:
	case q.Tenant == "" && q.RecipientID != "": // not by its index, which may have all
		and("(t.tenant = ?) is true", "")
	default:
		and("t.tenant = ?", text(q.Tenant))
	}
	if q.Category != "" {
		and("t.category = ?", text(q.Category))
	}
	if len(q.States) > 0 {
		states := make([]string, len(q.States))
		for i, state := range q.States {
			states[i] = text(string(state))
		}
		and("t.state = any(?)", states)
	}
	if q.Settled != nil {
		and("t.settled = ?", *q.Settled)
	}
	if !q.From.IsZero() {
		and(list+".at >= ?", q.From)
	}
	if !q.Until.IsZero() {
		and(list+".at < ?", q.Until)
	}
	if !after.IsZero() {
		and("("+list+".at, "+list+".id) < (?, ?)", after.At, text(after.ID))
	}
	and("true order by "+list+".at desc, "+list+".id desc limit ?", q.Limit+1)
	return "select t.id, t.at, t.truncated from " + from + " where " + strings.Join(where, " and "), args
}
