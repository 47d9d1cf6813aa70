package main

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// control takes one guarantee away, outside the product, to show that the
// harness would find its lack.
type control struct {
	name  string
	about string
	apply func(p *parts)
	at    []string // the points where its lack shows; nil: any
}

// The controls. What needs more than a killed process cannot be shown here: that
// a write is on the disk before it counts shows only when power fails.
var controls = []control{
	{"record", "records live in the process, and what they put out is published", withoutRecord, nil},
	{"intent", "an intent is written only with its answer", withoutIntent, []string{"call", "commit sent", "store"}},
	{"outbox", "what a step decided is stored as published, then published", withoutOutbox, []string{"publish"}},
	{"store-first", "what a step decided is published, then stored (where both are one step)", withoutStoreFirst, []string{"publish"}},
	{"cas", "a write does not look at what it replaces", withoutCompare, nil},
	{"lease", "every lease has expired", withoutLease, nil},
	{"ack-last", "a message is acknowledged before it is handled", withoutAckLast, []string{"observe"}},
	{"position", "an observer begins with what comes after its start", withoutPosition, []string{"observe"}},
	{"letters", "a dead letter is not kept", withoutLetters, nil},
	{"cancel", "a cancel is answered and not written", withoutCancel, nil},
	{"report", "a report is answered and not written", withoutReport, nil},
	{"sweep", "nothing is ever due", withoutSweep, nil},
	{"key", "a repeated call has another key", func(*parts) {}, nil}, // see renaming
}

func controlNamed(name string) (control, error) {
	var names []string
	for _, c := range controls {
		if c.name == name {
			return c, nil
		}
		names = append(names, c.name)
	}
	return control{}, fmt.Errorf("there is no control %q; there are: %s", name, strings.Join(names, ", "))
}

// renaming is how a provider changes its keys, if it does.
func renaming(without string) func(key string, call int) string {
	if without != "key" {
		return nil
	}
	return func(key string, call int) string { return fmt.Sprintf("%s#%d", key, call) }
}

// publishAll publishes what belongs to a write, one after the other.
func (p *parts) publishAll(ctx context.Context, out []backend.Publication) error {
	publisher, err := p.backend.Publisher()
	if err != nil {
		return err
	}
	for _, o := range out {
		wire, err := backend.Wire(o.Message)
		if err != nil {
			return err
		}
		err = p.points.at("publish "+nameOf(o.Topic, wire), func() error {
			if !o.At.IsZero() {
				return p.delayed.PublishAt(ctx, o.At, o.Topic, wire)
			}
			return publisher.Publish(o.Topic, wire)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// commitFunc is a committer.
type commitFunc func(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error)

func (f commitFunc) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	return f(ctx, r, out)
}

// storeThenPublish is a Commit that is not one transaction.
func (p *parts) storeThenPublish(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	revision, err := p.records.Store(ctx, r)
	if err != nil {
		return 0, err
	}
	return revision, p.publishAll(ctx, out)
}

func withoutRecord(p *parts) {
	p.records = memory.NewRecords()
	p.committer = commitFunc(p.storeThenPublish)
}

func withoutOutbox(p *parts) {
	if p.committer != nil {
		p.committer = commitFunc(p.storeThenPublish)
		return
	}
	p.records = markedStore{p.records}
}

// withoutStoreFirst has events seen of steps that never were, or were otherwise.
func withoutStoreFirst(p *parts) {
	if p.committer == nil {
		return
	}
	p.committer = commitFunc(func(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
		if err := p.publishAll(ctx, out); err != nil {
			return 0, err
		}
		return p.records.Store(ctx, r)
	})
}

// markedStore writes records as if all that they put out had been published.
type markedStore struct{ backend.Records }

func (m markedStore) Store(ctx context.Context, r backend.Record) (int64, error) {
	body, err := edited(r.Body, func(doc map[string]any) {
		for _, entry := range list(doc["outbox"]) {
			entry["published"] = true
		}
	})
	if err != nil {
		return 0, err
	}
	r.Body = body
	return m.Records.Store(ctx, r)
}

func withoutCompare(p *parts) {
	inner, commit := p.records, p.committer
	p.records = blindStore{inner}
	if commit != nil {
		p.committer = commitFunc(func(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
			return blindly(ctx, inner, r, func(r backend.Record) (int64, error) { return commit.Commit(ctx, r, out) })
		})
	}
}

// blindStore overwrites whatever it finds.
type blindStore struct{ backend.Records }

func (b blindStore) Store(ctx context.Context, r backend.Record) (int64, error) {
	return blindly(ctx, b.Records, r, func(r backend.Record) (int64, error) { return b.Records.Store(ctx, r) })
}

func blindly(ctx context.Context, records backend.Records, r backend.Record, write func(backend.Record) (int64, error)) (int64, error) {
	for {
		revision, err := write(r)
		if !errors.Is(err, backend.ErrConflict) {
			return revision, err
		}
		now, err := records.Load(ctx, r.ID)
		if err != nil && !errors.Is(err, backend.ErrNotFound) {
			return 0, err
		}
		r.Revision = now.Revision
	}
}

func withoutLease(p *parts) { p.records = expiredLeases{p.records} }

// expiredLeases loads records as if every lease in them had expired.
type expiredLeases struct{ backend.Records }

func (e expiredLeases) Load(ctx context.Context, id string) (backend.Record, error) {
	r, err := e.Records.Load(ctx, id)
	if err != nil || strings.HasPrefix(id, "parked/") {
		return r, err
	}
	r.Body, err = edited(r.Body, func(doc map[string]any) {
		for _, leg := range list(doc["legs"]) {
			for _, attempt := range list(leg["attempts"]) {
				if lease := leaseOf(attempt); lease != nil {
					lease["until"] = "2001-01-01T00:00:00Z"
				}
			}
		}
	})
	return r, err
}

func withoutPosition(p *parts) { p.positions = forgetful{p.positions} }

type forgetful struct{ backend.Positioner }

func (f forgetful) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	if group == pipelineGroup {
		return f.Positioner.Fix(ctx, topic, group, from)
	}
	if err := f.Forget(ctx, topic, group); err != nil {
		return err
	}
	return f.Positioner.Fix(ctx, topic, group, backend.FromNow())
}

func withoutLetters(p *parts) { p.letters = shredder{p.letters} }

type shredder struct{ backend.DeadLetters }

func (shredder) Bury(context.Context, backend.DeadLetter) (string, bool, error) {
	return "1", false, nil
}

func withoutSweep(p *parts) { p.records = neverDue{p.records} }

type neverDue struct{ backend.Records }

func (neverDue) Due(context.Context, time.Time, int) ([]string, time.Time, error) {
	return nil, time.Time{}, nil
}

func withoutCancel(p *parts) {
	p.drop(func(before, after encoding.BinaryAppender) bool { return canceled(after) && !canceled(before) })
}

func withoutReport(p *parts) {
	p.drop(func(before, after encoding.BinaryAppender) bool { return reports(after) > reports(before) })
}

// drop does not write records that change so, and says that it did. Before is nil
// if there was none.
func (p *parts) drop(changes func(before, after encoding.BinaryAppender) bool) {
	inner, commit := p.records, p.committer
	drops := func(ctx context.Context, r backend.Record) bool {
		before, err := inner.Load(ctx, r.ID)
		if err != nil {
			before.Body = nil
		}
		return changes(before.Body, r.Body)
	}
	p.records = dropping{inner, drops}
	if commit != nil {
		p.committer = commitFunc(func(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
			if drops(ctx, r) {
				return r.Revision + 1, nil
			}
			return commit.Commit(ctx, r, out)
		})
	}
}

// dropping does not write some of the records.
type dropping struct {
	backend.Records
	drops func(context.Context, backend.Record) bool
}

func (d dropping) Store(ctx context.Context, r backend.Record) (int64, error) {
	if d.drops(ctx, r) {
		return r.Revision + 1, nil
	}
	return d.Records.Store(ctx, r)
}

func withoutAckLast(p *parts) { p.consumer = hasty{p.consumer} }

// hasty acknowledges what it is given at once, and handles it then.
type hasty struct{ backend.Consumer }

func (h hasty) Consume(ctx context.Context, c backend.Consumption) error {
	handle := c.Handle
	type given struct {
		ctx     context.Context
		attempt int
		batch   *backend.Batch
	}
	queue := make(chan given, 1<<16)
	var handlers sync.WaitGroup
	for range c.Concurrency {
		handlers.Go(func() {
			for g := range queue {
				if done, err := handle(g.ctx, g.batch); err != nil && done == 0 {
					again := backend.NewBatch(g.attempt+1, g.batch.Message())
					time.AfterFunc(c.Backoff(g.attempt, err), func() { _, _ = handle(g.ctx, again) })
				}
			}
		})
	}
	c.Handle = func(ctx context.Context, b *backend.Batch) (done int, err error) {
		for b.Next() {
			queue <- given{ctx, b.Attempt, backend.NewBatch(b.Attempt, b.Message())}
			done++
		}
		return done, nil
	}
	err := h.Consumer.Consume(ctx, c)
	close(queue)
	handlers.Wait()
	return err
}
