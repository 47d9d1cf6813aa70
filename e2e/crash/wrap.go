package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// parts are a backend by its interfaces, so that a control may put something
// else in place of one. Those that it does not have are nil.
type parts struct {
	backend   backend.Backend
	consumer  backend.Consumer
	positions backend.Positioner
	delayed   backend.DelayedPublisher
	admitter  backend.Admitter
	records   backend.Records
	letters   backend.DeadLetters
	committer committer
	secrets   backend.SecretKeeper
	presence  backend.Presence
	local     backend.LocalPublisher
	tailer    backend.Tailer
	within    backend.Transactor
	points    *points
}

// committer is what [backend.Atomic] has beyond a backend and records.
type committer interface {
	Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error)
}

// partsOf takes apart a backend, and a store of records if that stands by
// itself.
func partsOf(b backend.Backend, store backend.Records, p *points) *parts {
	all := &parts{backend: b, points: p, records: store}
	all.consumer, _ = b.(backend.Consumer)
	all.positions, _ = b.(backend.Positioner)
	all.delayed, _ = b.(backend.DelayedPublisher)
	all.admitter, _ = b.(backend.Admitter)
	all.committer, _ = b.(committer)
	all.secrets, _ = b.(backend.SecretKeeper)
	all.presence, _ = b.(backend.Presence)
	all.local, _ = b.(backend.LocalPublisher)
	all.tailer, _ = b.(backend.Tailer)
	all.within, _ = b.(backend.Transactor)
	if store == nil {
		all.records, _ = b.(backend.Records)
		all.letters, _ = b.(backend.DeadLetters)
	} else {
		all.letters, _ = store.(backend.DeadLetters)
	}
	return all
}

// wrapBackend puts the points around the parts. What it returns has exactly the
// optional interfaces that the backend has: a combination that nobody needed yet
// is an error.
func (p *parts) wrapBackend(echo bool) (backend.Backend, error) {
	plain := plain{carrier{p.backend, p.points}, consuming{p.consumer, p.points, echo}, positioned{p.positions, p.points}, delaying{p.delayed, p.points}}
	shared := shared{admitting{plain, p.admitter}, p.wrapStore(), committing{p.committer, p.points}}
	owned := owned{shared, p.secrets, p.presence}
	for _, wrapped := range []backend.Backend{
		shared.admitting, tailing{plain, p.tailer}, shared, transacting{shared, p.within}, owned, inProcess{owned, publishingLocal{p.local, p.points}},
	} {
		if slices.Equal(interfacesOf(wrapped), interfacesOf(p.backend)) {
			return wrapped, nil
		}
	}
	return nil, fmt.Errorf("no wrapper has just the interfaces of %T: %s", p.backend, strings.Join(interfacesOf(p.backend), ", "))
}

// wrapStore puts the points around the records and dead letters.
func (p *parts) wrapStore() keeping {
	return keeping{kept{p.records, p.points}, buried{p.letters, p.points}}
}

// interfacesOf names the optional interfaces that a backend has.
func interfacesOf(b any) (names []string) {
	has := func(ok bool, name string) {
		if ok {
			names = append(names, name)
		}
	}
	_, ok := b.(backend.Consumer)
	has(ok, "Consumer")
	_, ok = b.(backend.Positioner)
	has(ok, "Positioner")
	_, ok = b.(backend.DelayedPublisher)
	has(ok, "DelayedPublisher")
	_, ok = b.(backend.Records)
	has(ok, "Records")
	_, ok = b.(backend.Atomic)
	has(ok, "Atomic")
	_, ok = b.(backend.DeadLetters)
	has(ok, "DeadLetters")
	_, ok = b.(backend.Admitter)
	has(ok, "Admitter")
	_, ok = b.(backend.LocalPublisher)
	has(ok, "LocalPublisher")
	_, ok = b.(backend.SecretKeeper)
	has(ok, "SecretKeeper")
	_, ok = b.(backend.Presence)
	has(ok, "Presence")
	_, ok = b.(backend.Tailer)
	has(ok, "Tailer")
	_, ok = b.(backend.Transactor)
	has(ok, "Transactor")
	return names
}

// The combinations: the parent's without records; Kafka's; the parent's, which
// keeps records too; PostgreSQL's; SQLite's, which nobody shares; and that in
// memory.
type (
	plain struct {
		carrier
		consuming
		positioned
		delaying
	}
	admitting struct {
		plain
		backend.Admitter
	}
	tailing struct {
		plain
		backend.Tailer
	}
	keeping struct {
		kept
		buried
	}
	shared struct {
		admitting
		keeping
		committing
	}
	transacting struct {
		shared
		backend.Transactor
	}
	owned struct {
		shared
		backend.SecretKeeper
		backend.Presence
	}
	inProcess struct {
		owned
		publishingLocal
	}
)

// carrier wraps a [backend.Backend].
type carrier struct {
	backend.Backend
	points *points
}

func (c carrier) Publisher() (message.Publisher, error) {
	p, err := c.Backend.Publisher()
	return publishing{p, c.points}, err
}

type publishing struct {
	message.Publisher
	points *points
}

func (p publishing) Publish(topic string, messages ...*message.Message) error {
	return p.points.at("publish "+nameOf(topic, messages...), func() error { return p.Publisher.Publish(topic, messages...) })
}

// delaying wraps a [backend.DelayedPublisher].
type delaying struct {
	delayed backend.DelayedPublisher
	points  *points
}

func (d delaying) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	return d.points.at("publish-later "+nameOf(topic, messages...), func() error {
		return d.delayed.PublishAt(ctx, at, topic, messages...)
	})
}

// publishingLocal wraps a [backend.LocalPublisher].
type publishingLocal struct {
	local  backend.LocalPublisher
	points *points
}

func (p publishingLocal) PublishLocal(now time.Time, topic string, value backend.Local) error {
	wire, err := value.Wire()
	if err != nil {
		return err
	}
	return p.points.at("publish "+nameOf(topic, wire), func() error { return p.local.PublishLocal(now, topic, value) })
}

// positioned wraps a [backend.Positioner].
type positioned struct {
	backend.Positioner
	points *points
}

func (p positioned) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	return p.points.at("fix", func() error { return p.Positioner.Fix(ctx, topic, group, from) })
}

// nameOf names a message's event, or the step whose work it is.
func nameOf(topic string, messages ...*message.Message) string {
	for _, m := range messages {
		if m == nil {
			continue
		}
		if wire, err := backend.Wire(m); err == nil && strings.HasSuffix(topic, "events") {
			return strings.TrimSuffix(strings.TrimPrefix(wire.Metadata["ce_type"], "notify."), ".v1")
		}
	}
	return stepOf(topic)
}

// stepOf names the step that reads a topic.
func stepOf(topic string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(topic, "notify."), ".")
	return name
}
