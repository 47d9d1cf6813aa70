// Package forward copies chosen events to a topic of any other Watermill
// publisher, so that another team gets them, and nothing else.
//
//	n.Attach(forward.New(theirKafka, "deliveries", func(c *forward.Config) {
//		c.Events = []any{notify.Delivered{}, notify.Bounced{}}
//	}))
//
// # What it sends
//
// Each event is sent as CloudEvents 1.0 in binary mode, as
// [notify.Notifier.Encode] makes it: the attributes as metadata (ce_id, ce_type,
// ...), which a Kafka marshaler turns into headers, and JSON as the payload. The
// metadata ce_partitionkey is the notification's ID: partition by it to keep the
// order of a notification's events. Events hold no content and no addresses, but
// the host's own IDs and labels: use [Config.Change] to take out what others
// must not see.
//
// # What it promises
//
// Every chosen event that is raised after the observer is registered is
// published at least once; a repeat has the same ID. Events of one notification
// keep their order. It stores nothing but the observer's position, and has no
// queue of its own: while the publisher fails, events are retried as
// [notify.Retry] says and others wait in the log; an observer that fails on
// everything pauses, and resumes by itself. The publisher belongs to the host:
// forward never closes it.
package forward

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
)

// Config is how a [Forward] observes and what it copies. The observer's Name is
// by default "forward".
type Config struct {
	notify.Observer
	// Events are what to copy: a value of each type, of notify's vocabulary
	// or of the host's own, which are registered before. Required.
	Events []any
	// Keep, if set, chooses among those, for example by tenant.
	Keep func(e notify.Event[any]) bool
	// Change, if set, returns the event as it is to be sent, such as without
	// labels. It must not change what e points to, since observers share it, and
	// leaves the ID and the type as they are.
	Change func(e notify.Event[any]) notify.Event[any]
}

// Forward is an observer that publishes copies of events.
type Forward struct {
	config    Config
	publisher message.Publisher
	topic     string
	notifier  atomic.Pointer[notify.Notifier]
}

var _ notify.Attacher = (*Forward)(nil)

// New returns an observer for [notify.Notifier.Attach] that copies events to
// the topic. Options change its [Config]. Two of one Notifier need two names.
func New(publisher message.Publisher, topic string, options ...func(*Config)) *Forward {
	f := &Forward{publisher: publisher, topic: topic}
	f.config.Name = "forward"
	for _, option := range options {
		option(&f.config)
	}
	return f
}

// Attach implements [notify.Attacher].
func (f *Forward) Attach(n *notify.Notifier) error {
	var found attach.Problems
	found.WhenNil(f.publisher, "forward.New", "the publisher is nil")
	found.When(f.topic == "", "forward.New", "the topic is empty")
	found.When(strings.HasPrefix(f.topic, ownTopics), "forward.New",
		"the topic begins with \"notify.\", as notify's own do: what is copied into one of those would be copied again, for ever")
	found.When(len(f.config.Events) == 0, "forward.Config.Events", "must name the events to copy, such as notify.Delivered{}")
	for i, e := range f.config.Events {
		t := reflect.TypeOf(e)
		found.When(t == nil || t.Kind() != reflect.Struct, fmt.Sprintf("forward.Config.Events[%d]", i),
			"must be an event's struct, such as notify.Delivered{}")
	}
	own := notify.Observer{Name: "forward"}
	if found == nil {
		own.Handlers = []notify.Handler{notify.HandleSome(f.copy, f.config.Events...)}
	}
	o := attach.Observer(f.config.Observer, own)
	if err := found.Err(); err != nil {
		return err
	}
	if !f.notifier.CompareAndSwap(nil, n) && f.notifier.Load() != n {
		return &notify.FieldError{Field: "forward.New", Problem: "is attached to another Notifier: make one for each"}
	}
	n.Observe(o)
	return nil
}

const ownTopics = "notify."

func (f *Forward) copy(ctx context.Context, e notify.Event[any]) error {
	if f.config.Keep != nil && !f.config.Keep(e) {
		return nil
	}
	if f.config.Change != nil {
		id, kind := e.ID, e.Type
		e = f.config.Change(e)
		e.ID, e.Type = id, kind
	}
	m, err := f.notifier.Load().Encode(e)
	if err != nil {
		return notify.Permanent(fmt.Errorf("forward: encode the event %s: %w", e.ID, err))
	}
	m.SetContext(ctx)
	if err := f.publisher.Publish(f.topic, m); err != nil {
		return fmt.Errorf("forward: publish to %s: %w", f.topic, err)
	}
	return nil
}
