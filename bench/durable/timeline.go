package durable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// history raises the events of one notification after the other, as the pipeline
// does: a mail that is sent.
type history struct {
	id   string
	next int
}

// histories are as many as there are callers: no two add to one notification at a
// time, as an observer's workers do not.
type histories struct {
	free chan *history
	made atomic.Int64
}

func newHistories(callers int) *histories {
	h := &histories{free: make(chan *history, callers)}
	for range callers {
		h.free <- &history{}
	}
	return h
}

// with calls f with the next event of some notification.
func (h *histories) with(f func(notify.Event[any]) error) error {
	one := <-h.free
	defer func() { h.free <- one }()
	return f(one.event(&h.made))
}

var (
	email   = notify.Leg{Leg: 1, Channel: notify.EmailChannel}
	attempt = notify.Attempt{Leg: email, Attempt: 1, Provider: "smtp"}
	raised  = []struct {
		name string
		data any
	}{
		{"accepted", notify.Accepted{Route: notify.First(notify.EmailChannel), ExpiresAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"routed", notify.Routed{Plan: notify.First(notify.EmailChannel), Legs: []notify.Leg{email}}},
		{"rendered", notify.Rendered{Leg: email, Template: "shipped", Locale: "en", Bytes: 1200}},
		{"sending", notify.Sending{Attempt: attempt, Call: 1}},
		{"sent", notify.Sent{Attempt: attempt, MessageID: "<0102018f3c2a-7d1e@example.com>", Code: "250 2.0.0"}},
		{"settled", notify.Settled{State: notify.StateSent, Attempts: 1, Calls: 1, Elapsed: 0.2}},
	}
)

func (h *history) event(made *atomic.Int64) notify.Event[any] {
	if h.next == 0 {
		h.id = "n_" + strconv.FormatInt(made.Add(1), 10)
	}
	fact, now := raised[h.next], time.Now().UTC()
	h.next = (h.next + 1) % len(raised)
	return notify.Event[any]{
		Envelope: notify.Envelope{
			ID: h.id + "/" + fact.name, Type: "notify." + fact.name + ".v1", Source: "bench", NotificationID: h.id,
			RecipientID: "u_" + h.id, Tenant: "shop", Category: "shipping", Labels: map[string]string{"order": h.id}, Time: now, Seen: now,
		},
		Data: fact.data,
	}
}

// codec is a Notifier that does not run.
func codec() (*notify.Notifier, func() error, error) {
	n, err := notify.New(notify.Config{})
	if err != nil {
		return nil, nil, err
	}
	return n, func() error { return n.Close(context.Background()) }, nil
}

// RawTimeline inserts the same events as messages, each in a transaction.
func RawTimeline(s Store, callers int, length bench.Length) (bench.Cost, error) {
	n, done, err := codec()
	if err != nil {
		return bench.Cost{}, err
	}
	r, err := s.Raw()
	if err != nil {
		return bench.Cost{}, errors.Join(err, done())
	}
	all := newHistories(callers)
	cost, err := call(callers, length, func(int64) error {
		return all.with(func(e notify.Event[any]) error {
			m, err := n.Encode(e)
			if err != nil {
				return err
			}
			if m, err = backend.Wire(m); err != nil {
				return err
			}
			metadata, err := json.Marshal(m.Metadata)
			if err != nil {
				return err
			}
			return r.Publish(Row{ID: m.UUID, Key: e.NotificationID, Metadata: metadata, Payload: m.Payload})
		})
	})
	return cost, errors.Join(err, r.Close(), done())
}

// Timeline adds events to a timeline.
func Timeline(s Store, callers int, length bench.Length) (bench.Cost, error) {
	n, done, err := codec()
	if err != nil {
		return bench.Cost{}, err
	}
	store, stop, err := s.Timeline(n)
	if err != nil {
		return bench.Cost{}, errors.Join(err, done())
	}
	all := newHistories(callers)
	ctx := context.Background()
	cost, err := call(callers, length, func(int64) error {
		return all.with(func(e notify.Event[any]) error { return store.Add(ctx, e) })
	})
	if err == nil {
		err = whole(ctx, store, all, cost.Events)
	}
	return cost, errors.Join(err, stop(), done())
}

// whole sees that no event got lost.
func whole(ctx context.Context, store timeline.Store, all *histories, want int) error {
	got := 0
	for id := range all.made.Load() {
		entry, err := store.Get(ctx, "n_"+strconv.FormatInt(id+1, 10))
		if err != nil {
			return err
		}
		got += len(entry.Events)
	}
	if got != want {
		return fmt.Errorf("of %d events the timeline has %d", want, got)
	}
	return nil
}
