// Package trigger starts something in answer to an event: another notification,
// or another business process.
//
//	n.Attach(
//		trigger.Notification("sms-after-bounce", func(_ context.Context, e notify.Event[notify.Bounced]) (notify.Notification, bool, error) {
//			return notify.Notification{To: notify.User(e.RecipientID), ...}, true, nil
//		}),
//		trigger.Process("open-ticket", func(ctx context.Context, key string, e notify.Event[notify.Undeliverable]) error {
//			return tickets.Open(ctx, key, e.NotificationID)
//		}),
//	)
//
// # What it promises
//
// Every event that is raised after the observer is registered starts its effect
// at least once, under a key that follows from the observer's name and the
// event's ID: a repeat has the same key, unless the observer was renamed before
// it came. A notification is sent once for a key,
// as [notify.Notification.Key] says, and names the event that caused it; a
// process has to check its key itself. An event at the end of a chain of
// [Config.MaxHops] answers starts nothing and becomes a dead letter, so that
// notifications which answer each other do not go on for ever. It stores nothing
// but the observer's position. What fails is retried as [notify.Retry] says, and
// is a dead letter in the end; bad input ([notify.FieldErrors]) is a dead letter
// at once.
package trigger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
)

// Config is how a [Trigger] observes. The observer's Name is the trigger's.
type Config struct {
	notify.Observer
	// MaxHops is how long the chain of events and notifications that answer each
	// other may get, from 1 to 31; default 8.
	MaxHops int
}

const (
	defaultHops = 8
	mostHops    = 31 // notify's own limit is 32
)

// Trigger is an observer that starts something in answer to an event.
type Trigger struct {
	config   Config
	handler  notify.Handler
	starts   bool // there is a function
	notifier atomic.Pointer[notify.Notifier]
}

var _ notify.Attacher = (*Trigger)(nil)

// Notification returns an observer for [notify.Notifier.Attach] that sends the
// notification which answer returns for an event, or none if send is false. If
// it names no Tenant, it has the event's; its Key is the trigger's, whatever
// answer sets. The first notification that was sent for an event counts, even
// if answer returns something else when the event comes again.
//
// T and answer are as for [notify.Handle]. Options change the [Config]. It needs
// records: see [notify.NoRecords].
func Notification[T any](name string, answer func(ctx context.Context, e notify.Event[T]) (nt notify.Notification, send bool, err error), options ...func(*Config)) *Trigger {
	t := newTrigger(name, answer != nil)
	t.config.Emits = []any{notify.Notification{}}
	t.handler = notify.Handle(func(ctx context.Context, e notify.Event[T]) error {
		nt, send, err := answer(ctx, e)
		if err != nil || !send {
			return err
		}
		if err := t.hop(e.Envelope); err != nil {
			return err
		}
		nt.Key = t.key(e.Envelope)
		if nt.Tenant == "" {
			nt.Tenant = e.Tenant
		}
		_, err = t.notifier.Load().Send(ctx, nt)
		switch {
		case errors.Is(err, notify.ErrKeyReused):
			return nil // it was sent when the event came before
		case len(notify.FieldErrors(err)) > 0:
			return notify.Permanent(fmt.Errorf("trigger: %w", err))
		case err != nil:
			return fmt.Errorf("trigger: %w", err)
		}
		return nil
	})
	return t.with(options)
}

// Process returns an observer for [notify.Notifier.Attach] that calls start for
// an event. The key is the same when the event comes again: start must do
// nothing then. T and start are as for [notify.Handle]. Options change the
// [Config].
func Process[T any](name string, start func(ctx context.Context, key string, e notify.Event[T]) error, options ...func(*Config)) *Trigger {
	t := newTrigger(name, start != nil)
	t.handler = notify.Handle(func(ctx context.Context, e notify.Event[T]) error {
		if err := t.hop(e.Envelope); err != nil {
			return err
		}
		return start(ctx, t.key(e.Envelope), e)
	})
	return t.with(options)
}

func newTrigger(name string, starts bool) *Trigger {
	t := &Trigger{starts: starts}
	t.config.Name, t.config.MaxHops = name, defaultHops
	return t
}

func (t *Trigger) with(options []func(*Config)) *Trigger {
	name := t.config.Name
	for _, option := range options {
		option(&t.config)
	}
	if t.config.Name == "" {
		t.config.Name = name
	}
	if t.config.MaxHops == 0 {
		t.config.MaxHops = defaultHops
	}
	return t
}

// Attach implements [notify.Attacher].
func (t *Trigger) Attach(n *notify.Notifier) error {
	field := fmt.Sprintf("trigger(%q)", t.config.Name)
	var found attach.Problems
	found.When(!t.starts, field, "the function is nil")
	found.When(t.config.MaxHops < 0 || t.config.MaxHops > mostHops, field+".MaxHops", fmt.Sprintf("must be from 0 (the default, %d) to %d", defaultHops, mostHops))
	o := attach.Observer(t.config.Observer, notify.Observer{Name: t.config.Name, Handlers: []notify.Handler{t.handler}})
	if err := found.Err(); err != nil {
		return err
	}
	if !t.notifier.CompareAndSwap(nil, n) && t.notifier.Load() != n {
		return &notify.FieldError{Field: field, Problem: "is attached to another Notifier: make one for each"}
	}
	n.Observe(o)
	return nil
}

// mostKey is how long a [notify.Notification.Key] may be.
const mostKey = 255

// key names the effect of an event. The IDs of events that answer events grow
// with the chain.
func (t *Trigger) key(e notify.Envelope) string {
	key := t.config.Name + "/" + e.ID
	if len(key) > mostKey {
		key = fmt.Sprintf("%s/%x", t.config.Name, sha256.Sum256([]byte(e.ID)))
	}
	return key
}

// hop refuses an event at the end of a chain.
func (t *Trigger) hop(e notify.Envelope) error {
	if e.Depth < t.config.MaxHops {
		return nil
	}
	return notify.Permanent(fmt.Errorf("trigger: the event %s is the %dth in a chain of answers, and MaxHops is %d: do two triggers answer each other?", e.ID, e.Depth, t.config.MaxHops))
}
