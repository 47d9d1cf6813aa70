// Package timeline keeps a read view: every notification with its events, its
// attempts and its status, found by ID or listed page by page.
//
//	store := timeline.NewMemory()
//	n.Attach(timeline.New(store))
//	...
//	entry, err := store.Get(ctx, id)
//	entry.WriteTo(os.Stdout)
//
// # What it stores
//
// The events about notifications as they are, in the order in which they first
// came, which is the log's, and the [notify.Status] that they amount to. So a
// timeline holds no content and no addresses, but the host's own IDs and labels,
// and the host's own events about a notification with all that the host put into
// them. To keep what was sent as well, sealed, attach [Contents]. Events about the
// machinery, which name no notification, are not kept.
//
// # What it promises
//
// The view follows the log with a delay, usually of milliseconds: what Send
// just accepted may not be found yet. An event that comes again, and events
// that come in another order, give the same status, so the view may be rebuilt
// from any log. When a [Store] fails, the event is retried as [notify.Observer]
// says, and is a dead letter in the end; meanwhile the later events of that
// notification wait, and no others. Each store documents what it keeps at most,
// and what it drops then: see [Memory]. [Store.Erase] serves a recipient's
// right to be forgotten.
//
// A list is of the notifications of one tenant, which [Query.Tenant] names, or of
// those that have none; only a query with AllTenants is of all. [Store.Get] does not
// look at the tenant: a host that keeps its tenants apart compares
// [notify.Status.Tenant].
package timeline

import (
	"context"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/handlers/internal/attach"
)

// Config is how a [Timeline] observes: all of it is the observer's. Name is by
// default "timeline", Concurrency 64, since stores on disk write what is added at
// once in one go, and From [backend.FromOldest], so that a view which is new to the
// backend begins with all that the log still has. It is ReplaySafe.
type Config struct {
	notify.Observer
}

// Timeline is an observer that hands the events about notifications to a
// [Store].
type Timeline struct {
	config Config
	store  Store
}

var _ notify.Attacher = (*Timeline)(nil)

// New returns a timeline for [notify.Notifier.Attach]. Options change its
// [Config]. Two timelines of one Notifier need two names.
func New(store Store, options ...func(*Config)) *Timeline {
	t := &Timeline{store: store}
	t.config.Name, t.config.Concurrency = "timeline", 64
	t.config.From = backend.FromOldest()
	t.config.ReplaySafe = true
	for _, option := range options {
		option(&t.config)
	}
	return t
}

// Attach implements [notify.Attacher].
func (t *Timeline) Attach(n *notify.Notifier) error {
	var found attach.Problems
	found.WhenNil(t.store, "timeline.New", "the store is nil; timeline.NewMemory() will do for a single process")
	o := attach.Observer(t.config.Observer, notify.Observer{
		Name: "timeline", Concurrency: 64, Handlers: []notify.Handler{notify.Handle(t.add)},
	})
	if err := found.Err(); err != nil {
		return err
	}
	n.Observe(o)
	return nil
}

func (t *Timeline) add(ctx context.Context, e notify.Event[any]) error {
	if e.NotificationID == "" {
		return nil
	}
	return t.store.Add(ctx, e)
}
