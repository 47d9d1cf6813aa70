package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

const (
	// maxAdders is how many transactions of a timeline's events are under way at
	// once.
	maxAdders = 2
	// maxAdded is how many events go into one.
	maxAdded = 64
)

// addition is an event that a caller wants added.
type addition struct {
	event    notify.Event[any]
	metadata string
	payload  []byte

	err  error
	done chan struct{}
}

// additions brings the events of many callers into few transactions: whoever
// comes while others are under way goes with all who wait.
type additions struct {
	mu     sync.Mutex
	queue  []*addition
	adders int
}

// adding adds the event, with what others add. If ctx ends first, it is open
// whether it was added.
func (t *timelines) adding(ctx context.Context, pool *pgxpool.Pool, one *addition) error {
	one.done = make(chan struct{})
	a := &t.additions
	a.mu.Lock()
	a.queue = append(a.queue, one)
	if a.adders < maxAdders {
		a.adders++
		t.store.active.Go(func() {
			for some := a.take(); len(some) > 0; some = a.take() {
				t.addTogether(pool, some)
			}
		})
	}
	a.mu.Unlock()
	select {
	case <-one.done:
		return one.err
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue = slices.DeleteFunc(a.queue, func(other *addition) bool { return other == one })
	return ctx.Err()
}

// take takes what goes into one transaction. When there is nothing, the caller
// has ended.
func (a *additions) take() []*addition {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.queue), maxAdded)
	if n == 0 {
		a.adders--
		return nil
	}
	some := slices.Clone(a.queue[:n])
	a.queue = slices.Delete(a.queue, 0, n)
	return some
}

// addTogether adds the events in one transaction; each alone, if one of them
// keeps the others from being added.
func (t *timelines) addTogether(pool *pgxpool.Pool, some []*addition) {
	ctx, cancel := t.store.inTime(t.store.base)
	err := pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return t.add(ctx, conn, some) })
	cancel()
	var refused *pgconn.PgError
	if len(some) > 1 && (errors.As(err, &refused) && refused.Code[:2] != "57" || errors.Is(err, errUndecodable)) {
		for i := range some {
			t.addTogether(pool, some[i:i+1])
		}
		return
	}
	for _, one := range some {
		one.err = err
		close(one.done)
	}
}

// add works out what the events make of their entries, while the rows of these
// are locked: in two round trips, one to lock and read and one to write.
func (t *timelines) add(ctx context.Context, conn *pgxpool.Conn, some []*addition) error {
	slices.SortStableFunc(some, func(a, b *addition) int {
		return cmp.Compare(text(a.event.NotificationID), text(b.event.NotificationID))
	})
	entries, erased, err := t.lockAndRead(ctx, conn, some)
	if err != nil {
		return err
	}
	w := writing{timelines: t, batch: &pgx.Batch{}}
	for from := 0; from < len(some); {
		id, to := text(some[from].event.NotificationID), from+1
		for to < len(some) && text(some[to].event.NotificationID) == id {
			to++
		}
		if slices.Contains(erased[from:to], true) {
			t.queueBurial(w.batch, id)
		} else {
			w.entry(id, entries[id], some[from:to])
		}
		from = to
	}
	w.queue()
	return t.store.send(ctx, conn, w.batch)
}

// lockAndRead returns the entries by ID, and of each event whether it is of a
// notification that was erased, or has to be because of it.
func (t *timelines) lockAndRead(ctx context.Context, conn *pgxpool.Conn, some []*addition) (entries map[string]stored, erased []bool, err error) {
	var locks []int64
	var all, ids, recipients []string
	var times, firsts []time.Time
	for _, one := range some {
		e, recipient := &one.event.Envelope, ""
		if e.RecipientID != "" {
			recipient = timeline.RecipientHash(e.Tenant, e.RecipientID)
			locks = append(locks, t.lockOf(recipient))
		}
		id := text(e.NotificationID)
		all, recipients, times = append(all, id), append(recipients, recipient), append(times, e.Time)
		if len(ids) == 0 || ids[len(ids)-1] != id {
			ids, firsts = append(ids, id), append(firsts, e.Time)
		}
	}
	slices.Sort(locks) // as everybody does, so that no two wait for each other
	sql := t.store.config.sql
	batch := &pgx.Batch{}
	batch.Queue(begin)
	batch.Queue(t.store.config.idleFor())
	if len(locks) > 0 {
		batch.Queue("select pg_advisory_xact_lock_shared(id) from unnest($1::bigint[]) id", slices.Compact(locks))
	}
	batch.Queue(sql(`
insert into {s}.timeline (id, at, recipient, tenant, category, state, settled)
select id, at, '', '', '', '', false from unnest($1::text[], $2::timestamptz[]) e(id, at) order by id collate "C"
on conflict (id) do update set id = excluded.id`), ids, firsts) // locks them in either case
	batch.Queue(sql(`
select exists (select from {s}.timeline_erased where what = 'notification' and name = id)
  or exists (select from {s}.timeline_erased where what = 'recipient' and name = recipient and at >= time)
from unnest($1::text[], $2::text[], $3::timestamptz[]) with ordinality e(id, recipient, time, n) order by n`), all, recipients, times).
		Query(func(rows pgx.Rows) (err error) {
			erased, err = pgx.CollectRows(rows, pgx.RowTo[bool])
			return err
		})
	var found []stored
	batch.Queue(t.query("select id, at, truncated from {s}.timeline where id = any($1)"), ids).Query(func(rows pgx.Rows) (err error) {
		if found, err = t.scan(rows); err == nil {
			err = readable(found)
		}
		return err
	})
	if err := t.store.send(ctx, conn, batch); err != nil {
		return nil, nil, err
	}
	entries = make(map[string]stored, len(found))
	for _, has := range found {
		entries[has.id] = has
	}
	return entries, erased, nil
}

// writing is what a transaction writes.
type writing struct {
	*timelines
	batch *pgx.Batch

	of, ids, metadata []string // of the events
	payloads          [][]byte

	changed, recipients, tenants, categories, states []string // of the entries
	ats                                              []time.Time
	settled                                          []bool

	retagged, tagged, names, values []string
	tagAts                          []time.Time
}

// entry takes in what the events make of an entry.
func (w *writing) entry(id string, has stored, some []*addition) {
	events, truncated := has.events, false
	for _, one := range some {
		with, leftOut := timeline.Append(events, one.event, w.store.config.MaxTimelineEvents)
		truncated = truncated || leftOut
		if len(with) > len(events) {
			w.of, w.ids = append(w.of, id), append(w.ids, text(one.event.ID))
			w.metadata, w.payloads = append(w.metadata, one.metadata), append(w.payloads, one.payload)
		}
		events = with
	}
	if truncated && !has.truncated {
		w.batch.Queue(w.store.config.sql("update {s}.timeline set truncated = true where id = $1"), id)
	}
	if len(events) == len(has.events) {
		return
	}
	before, entry := timeline.NewEntry(has.events...), timeline.NewEntry(events...)
	s := &entry.Status
	w.changed, w.ats = append(w.changed, id), append(w.ats, entry.At)
	w.recipients, w.tenants = append(w.recipients, text(s.RecipientID)), append(w.tenants, text(s.Tenant))
	w.categories, w.states = append(w.categories, text(s.Category)), append(w.states, string(s.State))
	w.settled = append(w.settled, s.Settled)
	tags := entry.Tags()
	if entry.At.Equal(before.At) && slices.Equal(tags, before.Tags()) {
		return
	}
	if len(before.Events) > 0 {
		w.retagged = append(w.retagged, id)
	}
	for _, tag := range tags {
		w.names, w.values = append(w.names, text(tag.Name)), append(w.values, text(tag.Value))
		w.tagged, w.tagAts = append(w.tagged, id), append(w.tagAts, entry.At)
	}
}

// queue queues the statements, and the commit.
func (w *writing) queue() {
	sql := w.store.config.sql
	if len(w.of) > 0 {
		w.batch.Queue(sql(`
insert into {s}.timeline_event (notification, id, metadata, payload)
select of, id, metadata::json, payload
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) with ordinality e(of, id, metadata, payload, n) order by n`),
			w.of, w.ids, w.metadata, w.payloads)
	}
	if len(w.changed) > 0 {
		w.batch.Queue(sql(`
update {s}.timeline t set at = e.at, recipient = e.recipient, tenant = e.tenant, category = e.category, state = e.state, settled = e.settled
from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
  e(id, at, recipient, tenant, category, state, settled) where t.id = e.id`),
			w.changed, w.ats, w.recipients, w.tenants, w.categories, w.states, w.settled)
	}
	if len(w.retagged) > 0 {
		w.batch.Queue(sql("delete from {s}.timeline_tag where id = any($1)"), w.retagged)
	}
	if len(w.tagged) > 0 {
		w.batch.Queue(sql(`
insert into {s}.timeline_tag (name, value, at, id)
select name, value, at, id from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) e(name, value, at, id) on conflict do nothing`),
			w.names, w.values, w.tagAts, w.tagged)
	}
	w.batch.Queue("commit")
}

// errUndecodable is what an entry has if one of its events does not decode.
var errUndecodable = errors.New("an event of the entry does not decode")

// decode decodes an event that is stored. A panic of the host's own types is for
// the caller who wants the entry, and not the end of those who share its
// transaction.
func (t *timelines) decode(m *message.Message) (e notify.Event[any], err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("decode event %q: %w: it panicked", m.UUID, errUndecodable)
		}
	}()
	if e, err = t.codec.Decode(m); err != nil {
		err = fmt.Errorf("decode event %q: %w: %w", m.UUID, errUndecodable, err)
	}
	return e, err
}
