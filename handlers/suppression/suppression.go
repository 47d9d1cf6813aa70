// Package suppression keeps a list of recipients and addresses that nothing is
// sent to: hard bounces, complaints and unsubscribes add to it, and a guard
// reads it before each send.
//
//	list := suppression.New(suppression.NewMemory())
//	n.Attach(list)
//	...
//	err := list.Lift(ctx, key) // they subscribed again
//
// # What is suppressed
//
//   - An address that does not exist ([notify.AddressInvalid]: a hard bounce, or
//     a provider that says so at once) gets nothing more on that channel.
//   - A recipient who complains ([notify.Complained]) gets nothing more on that
//     channel.
//   - A recipient who unsubscribes ([notify.Unsubscribed]) gets nothing more of
//     that scope on that channel: notifications whose Category is the scope, or
//     all if both are empty. What a machine did ([notify.Engagement]) does not
//     count.
//
// All of it is per tenant. A complaint and an unsubscribe are about the recipient
// by the host's ID, whatever address they use, and where there is no ID, about
// the address; addresses are kept as [notify.Notifier.AddressHash] only, and known by
// it as long as the key is the same: a host whose Store outlives its backend, or has
// several Notifiers, sets [notify.Config.AddressKey].
// Categories in [Config.Essential] are sent in spite of complaints and
// unsubscribes, but not to addresses that do not exist.
//
// A notification goes out on the channels of its route that are left; with none, it
// ends as [notify.Suppressed]. A leg that was delayed is looked at again before it is
// sent.
//
// # What it promises
//
// An event takes effect with the delay of an observer, usually milliseconds.
// Events may come twice and in any order: of what is known of a key the latest
// in time stands, so that an old event which comes again does not undo a Lift. What
// a provider reports of the time to come counts from when it was reported.
// When the [Store] fails, an event is retried as [notify.Retry] says and is a
// dead letter in the end; and nothing is sent until the guard can read the list
// again, since a step whose guard fails is tried again. Each store documents
// what it keeps at most, and what it does then: see [Memory].
package suppression

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
	"github.com/seed-6c01d079/notify/handlers/internal/event"
)

// Config is how a [List] observes and guards. The observer's Name is by default
// "suppression", which is the guard's too, and From [backend.FromOldest]. It is
// ReplaySafe.
type Config struct {
	notify.Observer
	// Essential are the categories that are sent in spite of complaints and
	// unsubscribes, such as one-time codes; default none.
	Essential []string
}

// List is an observer that writes a [Store], and the guard that reads it. Its
// methods are safe for concurrent use.
type List struct {
	config   Config
	store    Store
	notifier atomic.Pointer[notify.Notifier]
}

var _ notify.Attacher = (*List)(nil)

// New returns a list for [notify.Notifier.Attach], which must come before Run, as
// for every guard. Options change its [Config]. Two of one Notifier need two
// names. [notify.Notifier.Detach] ends the observer alone: the guard goes on with
// what is on the list, and the List may be attached again.
func New(store Store, options ...func(*Config)) *List {
	l := &List{store: store}
	l.config.Name = "suppression"
	l.config.From = backend.FromOldest()
	l.config.ReplaySafe = true
	for _, option := range options {
		option(&l.config)
	}
	return l
}

// Attach implements [notify.Attacher].
func (l *List) Attach(n *notify.Notifier) error {
	var found attach.Problems
	found.WhenNil(l.store, "suppression.New", "the store is nil; suppression.NewMemory() will do for a single process that may forget")
	o := attach.Observer(l.config.Observer, notify.Observer{
		Name: "suppression", Handlers: []notify.Handler{notify.Handle(l.invalid), notify.Handle(l.complained), notify.Handle(l.unsubscribed)},
	})
	if err := found.Err(); err != nil {
		return err
	}
	switch {
	case l.notifier.CompareAndSwap(nil, n):
		n.Guard(o.Name, l.guard)
	case l.notifier.Load() != n:
		return &notify.FieldError{Field: "suppression.New", Problem: "is attached to another Notifier: make one for each"}
	} // else it was detached, and its guard was not
	n.Observe(o)
	return nil
}

// Suppress puts a key on the list, by the host's own decision, also if a clock was
// ahead, by a day at most, when it was lifted.
func (l *List) Suppress(ctx context.Context, k Key) error {
	now := time.Now()
	for at, ahead := now, time.Microsecond; at.Sub(now) < 48*time.Hour; at, ahead = at.Add(ahead), 2*ahead {
		if err := l.set(ctx, Entry{Key: k, Reason: ByHost, At: at}); err != nil {
			return err
		}
		if _, is, err := l.known(ctx, k); err != nil || is {
			return err
		}
	}
	return errors.New("suppression: put a key on the list: it was lifted at a time that is more than a day ahead: set the clocks, and try again then")
}

// Lift takes a key off the list, whatever the time of what put it there: what is
// suppressed later counts again.
func (l *List) Lift(ctx context.Context, k Key) error {
	e := Entry{Key: k, Reason: ByHost, Lifted: true, At: moment(time.Now())}
	if err := e.Check(); err != nil {
		return err
	}
	known, is, err := l.known(ctx, k)
	if err != nil {
		return err
	}
	if is && !e.At.After(known.At) {
		e.At = known.At.Add(time.Microsecond)
	}
	return l.set(ctx, e)
}

// known is what the list has of a key, if that is not lifted.
func (l *List) known(ctx context.Context, k Key) (e Entry, is bool, err error) {
	found, err := l.store.Find(ctx, k.Tenant, k.Subject)
	if err != nil {
		return e, false, fmt.Errorf("suppression: look for a key: %w", err)
	}
	i := slices.IndexFunc(found, func(e Entry) bool { return e.Key == k })
	if i < 0 {
		return e, false, nil
	}
	return found[i], true, nil
}

func (l *List) set(ctx context.Context, e Entry) error {
	e.At = moment(e.At)
	if err := e.Check(); err != nil {
		return err
	}
	return l.store.Set(ctx, e)
}

func moment(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }

// Address is whom an address is about, for [Key.Subject]: nobody, which no key may
// have, before the list is attached.
func (l *List) Address(c notify.Channel, address string) Subject {
	n := l.notifier.Load()
	if n == nil {
		return Subject{}
	}
	return Subject{AddressHash: n.AddressHash(c, address)}
}

func (l *List) invalid(ctx context.Context, e notify.Event[notify.AddressInvalid]) error {
	if e.Data.AddressHash == "" {
		return nil // a Notifier without a key
	}
	return l.note(ctx, e.Envelope, Key{Channel: e.Data.Channel, Subject: Subject{AddressHash: e.Data.AddressHash}}, Invalid)
}

func (l *List) complained(ctx context.Context, e notify.Event[notify.Complained]) error {
	return l.note(ctx, e.Envelope, Key{Channel: e.Data.Channel, Subject: subject(e.RecipientID, e.Data.AddressHash)}, Complaint)
}

func (l *List) unsubscribed(ctx context.Context, e notify.Event[notify.Unsubscribed]) error {
	if e.Data.Machine {
		return nil
	}
	k := Key{Channel: e.Data.Channel, Subject: subject(e.RecipientID, e.Data.AddressHash), Scope: e.Data.Scope}
	if k.Scope == "" {
		k.Scope = e.Category
	}
	return l.note(ctx, e.Envelope, k, Unsubscribe)
}

func (l *List) note(ctx context.Context, e notify.Envelope, k Key, reason Reason) error {
	k.Tenant = e.Tenant
	err := l.set(ctx, Entry{Key: k, Reason: reason, At: event.Happened(e), EventID: e.ID})
	if errors.As(err, new(*notify.FieldError)) {
		return notify.Permanent(err)
	}
	return err
}

func subject(recipientID, addressHash string) Subject {
	if recipientID != "" {
		return Subject{RecipientID: recipientID}
	}
	return Subject{AddressHash: addressHash}
}
