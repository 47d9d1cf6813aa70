package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// NoRecords is a [Config.Records] for a program that keeps no records: the
// state of a notification travels with its work, from step to step. letters
// keeps the dead letters; nil if the backend does. Each Notifier needs its own.
//
// The backend must hold delayed messages ([backend.DelayedPublisher]).
// Then [Notifier.Cancel], [Notifier.Status] and [Notifier.Report] return
// [ErrUnsupported], and so does Send for a [Notification.Key], and for a route
// with [All], since nobody would know when the last of several legs has ended. A
// provider's receipts are not waited for: what it took has settled. Wait and
// Watch read the events, need a backend that is a [backend.Tailer], and wait for
// an ID that nobody knows until their context ends.
//
// What Send accepted still settles, whatever crashes; an observer that sends, in
// answer to an event that comes again, sends again. When a process dies, or loses
// its work to another, before the backend has stored that the work is done, the
// last step is done again by somebody who knows nothing of it. A call is made
// again, under the same key: a provider that does not honour keys sends twice. If
// the step had passed the work on, there are two copies of the work from then on,
// and both are done: if the first call had failed for now and the repeated one
// does not, the message is sent by the next attempt too, under its own key.
// Events that are raised again have the same ID, and may then have another time
// and another content.
//
// The backend has to take messages of a megabyte: work carries the notification
// and the rendered message. What makes it larger than 900,000 bytes ends its leg
// as [EndUnrenderable].
//
// A program that begins to keep records goes on with what was under way without
// them. One that gives up its records loses what has one: let everything settle
// before.
func NoRecords(letters backend.DeadLetters) Records {
	c := carried{held: map[string]*carriedRecord{}}
	if letters == nil {
		return &c
	}
	return &struct {
		*carried
		backend.DeadLetters
	}{&c, letters}
}

// carrier is what both forms of NoRecords are.
type carrier interface{ carries() *carried }

// carried are the records of the steps that are under way in this process.
type carried struct {
	mu   sync.Mutex
	held map[string]*carriedRecord
}

type carriedRecord struct {
	backend.Record
	steps int // under way
}

// maxCarried bounds the records of steps that failed, which are kept until the
// step is tried again here; beyond it some are forgotten.
const maxCarried = 10_000

func (c *carried) carries() *carried { return c }

// bring begins a step: it makes the record that its work brings known, unless
// an earlier try of the step got further. What an earlier try left is of no use
// where another process, in fewer moves, has gone on beyond it.
func (c *carried) bring(w *work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[w.ID]
	if h == nil {
		h = &carriedRecord{}
		c.held[w.ID] = h
	}
	h.steps++
	c.trim()
	known, _ := h.Body.(*record)
	next := known
	switch {
	case w.Record == nil:
	case known == nil || known.Seq < w.Record.Seq || known.behind(w):
		next = w.Record
	case known.Seq == w.Record.Seq:
		next = known.havingPublished(w) // the step before may not have marked that yet
	}
	if next != known {
		h.ID, h.Body = w.ID, next
		h.Revision++
	}
}

// havingPublished is the record with the work marked as published, and all before
// it, since that has come: a step that publishes it again would double it.
func (r *record) havingPublished(w *work) *record {
	var last int64
	for _, e := range r.Outbox {
		if e.work != nil && e.work.Leg == w.Leg && e.work.Ordinal == w.Ordinal {
			last = e.seq
		}
	}
	if last == 0 {
		return r
	}
	next := r.clone()
	next.markPublished(func(seq int64) bool { return seq <= last })
	return next
}

// behind tells whether the record has not begun what the work is about.
func (r *record) behind(w *work) bool {
	if w.Leg == 0 || r.settled() {
		return false
	}
	leg := r.leg(w.Leg)
	return leg == nil || leg.State == legWaiting || leg.State == legOpen && w.Ordinal > leg.current()
}

// leave ends a step. What it left is no longer needed once it is done.
func (c *carried) leave(w *work, done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[w.ID]
	if h.steps--; h.steps == 0 && done {
		delete(c.held, w.ID)
	}
}

// trim keeps to the cap. mu is held.
func (c *carried) trim() {
	for id, h := range c.held {
		if len(c.held) <= maxCarried {
			return
		}
		if h.steps == 0 {
			delete(c.held, id)
		}
	}
}

// snapshot is the record as work takes it along: what it has raised is published
// before that work is acknowledged.
func (r *record) snapshot() *record {
	s := r.clone()
	s.Outbox, s.Aliases = nil, nil
	return s
}

// maxCarriedBytes bounds the work that carries a rendered message, as JSON: less
// than the megabyte that brokers take by default, since every attempt adds to it.
const maxCarriedBytes = 900_000

// room tells with an error if a leg's message makes the record too large to
// travel with its work.
func (c *carried) room(r *record, number int, message *rendered) error {
	s := r.snapshot()
	s.leg(number).Message = message
	encoded, err := json.Marshal(&work{ID: r.ID, Record: s})
	if err == nil && len(encoded) > maxCarriedBytes {
		err = fmt.Errorf("%w: with NoRecords its work carries it, which is then %d bytes as JSON, and at most %d", ErrTooLarge, len(encoded), maxCarriedBytes)
	}
	return err
}

// Load implements [backend.Records].
func (c *carried) Load(_ context.Context, id string) (backend.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h := c.held[id]; h != nil && h.Body != nil {
		return h.Record, nil
	}
	return backend.Record{}, fmt.Errorf("no step of %s is under way: %w", id, backend.ErrNotFound)
}

// LoadAlias implements [backend.Records].
func (c *carried) LoadAlias(context.Context, string) (backend.Record, error) {
	return backend.Record{}, fmt.Errorf("there are no records: %w", backend.ErrNotFound)
}

// Store implements [backend.Records].
func (c *carried) Store(_ context.Context, r backend.Record) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[r.ID]
	if h == nil || h.Revision != r.Revision {
		return 0, backend.ErrConflict
	}
	h.Record = r
	h.Revision++
	return h.Revision, nil
}

// Due implements [backend.Records]: nothing comes back by itself.
func (c *carried) Due(context.Context, time.Time, int) ([]string, time.Time, error) {
	return nil, time.Time{}, nil
}

// Expire implements [backend.Records].
func (c *carried) Expire(context.Context, time.Time, int) (int, error) { return 0, nil }

// Delete implements [backend.Records].
func (c *carried) Delete(context.Context, string, int64) error { return nil }

// errNoRecords is what a method answers that needs a record.
var errNoRecords = fmt.Errorf("%w with NoRecords", ErrUnsupported)

// needsRecords tells whether something cannot be done, since there are no
// records.
func (n *Notifier) needsRecords(operation string) error {
	if n.ledger.carried == nil {
		return nil
	}
	return fmt.Errorf("notify: %s: %w: give Config.Records a store", operation, errNoRecords)
}

// travelling reports what of a notification needs a record. Its route is looked
// at if it is right otherwise.
func (p *problems) travelling(n *Notification, sound bool) {
	if n.Key != "" {
		p.addErr(errNoRecords, "Key", "needs records, and Config.Records is NoRecords")
	}
	if sound && n.Route.hasAll() {
		p.addErr(errNoRecords, "Route", "has All, which needs records, and Config.Records is NoRecords")
	}
}

// hasAll tells whether several legs of the route may be under way at once.
func (r Route) hasAll() bool {
	if r.kind == routeAll && len(r.children) > 1 {
		return true
	}
	for _, child := range r.children {
		if child.hasAll() {
			return true
		}
	}
	return false
}
