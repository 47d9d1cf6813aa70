package notify

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// pollEvery is how often somebody who waits looks at the record without being
// woken, where another process may have changed it. unseenPatience is how long
// it may take until the route step stores the record of a new notification.
const (
	pollEvery      = time.Second
	unseenPatience = 30 * time.Second
	// pollAlone is for a host that forgot to say that others share the records.
	pollAlone = 30 * time.Second
)

// Status tells how far a notification is, by its record. The error wraps
// [ErrNotFound] if there is none: the ID is wrong, it settled longer ago than
// [Budgets.Retention], or, where backend and records are apart, it was sent
// just now.
func (n *Notifier) Status(ctx context.Context, id string) (Status, error) {
	if err := n.needsRecords("status"); err != nil {
		return Status{}, err
	}
	s, err := n.known(ctx, id)
	if err != nil {
		return Status{}, unknown(id, err)
	}
	return s.status(), nil
}

// errUnsent says that a record is only the mark of a cancel.
var errUnsent = fmt.Errorf("canceled before it was sent: %w", backend.ErrNotFound)

// unknown is what the host is told when a record could not be loaded.
func unknown(id string, err error) error {
	switch {
	case errors.Is(err, errUnsent):
		return fmt.Errorf("notify: notification %q was canceled before it was sent: %w", id, ErrNotFound)
	case errors.Is(err, backend.ErrNotFound):
		return fmt.Errorf("notify: no notification has the ID %q: %w", id, ErrNotFound)
	}
	return translate(err)
}

// known loads the record of a notification: the mark that a cancel left for
// one that nobody has sent is none.
func (n *Notifier) known(ctx context.Context, id string) (stored, error) {
	s, err := n.ledger.load(ctx, id)
	if err == nil && s.Request == nil && !s.settled() {
		return stored{}, errUnsent
	}
	return s, err
}

// status folds what the record has raised.
func (r *record) status() Status {
	var fold Fold
	for i := range r.Outbox {
		if e := r.Outbox[i].event; e != nil {
			fold.Add(r.event(e))
		}
	}
	status := fold.Status()
	status.NotificationID, status.RecipientID = r.ID, r.RecipientID
	status.Tenant, status.Category = r.Tenant, r.Category
	status.AcceptedAt, status.Settled, status.SettledAt = r.AcceptedAt.Round(0).UTC(), r.settled(), r.SettledAt.Round(0).UTC()
	if status.State = r.state(); status.State == "" {
		status.State = StateAccepted
	}
	return status
}

// Wait waits until the notification has settled, and returns its status then.
// Settled means that nothing more will be tried; what a provider reports later
// may still change the state. What a provider with [Capabilities.Receipts] took
// settles by its report, or when [ProviderConfig.ReceiptWindow] is over, which
// may be days: to wait for less, [Notifier.Watch] for [Sent]. The error wraps
// [ErrNotFound] as Status's does, is ctx's, or [ErrClosed] once the Notifier has
// ended. It looks at the record whenever this Notifier changes it, and once a
// second, or every 30 s where nobody else should change it: on a backend of this
// process which keeps the records and is not shared ([Config.KeepBackend]).
func (n *Notifier) Wait(ctx context.Context, id string) (Status, error) {
	if n.ledger.carried != nil {
		return n.waitByEvents(ctx, id)
	}
	var status Status
	err := n.follow(ctx, id, func(r *record) bool {
		if r.settled() {
			status = r.status()
		}
		return !r.settled()
	})
	return status, err
}

// Watch yields the notification's events, engagement too, in their order, as
// they are decided: also those from before the call, as far as the record keeps
// them (at most 256). It ends once the notification has settled, after what is
// known by then, so [Settled] need not be the last; or with an error: if ctx
// ends, the notification is not found, or the Notifier has ended ([ErrClosed]).
// Events of the host's, and those that name no notification, are not among
// them.
func (n *Notifier) Watch(ctx context.Context, id string) iter.Seq2[Event[any], error] {
	if n.ledger.carried != nil {
		return n.tail(ctx, id)
	}
	return func(yield func(Event[any], error) bool) {
		var last int64
		stopped := false
		err := n.follow(ctx, id, func(r *record) bool {
			for i := range r.Outbox {
				e := &r.Outbox[i]
				if e.event == nil || e.seq <= last {
					continue
				}
				last = e.seq
				if stopped = !yield(r.event(e.event), nil); stopped {
					return false
				}
			}
			return !r.settled()
		})
		if err != nil && !stopped {
			yield(Event[any]{}, err)
		}
	}
}

// alone tells whether nobody but this Notifier changes its records, so that
// every change wakes those who wait here.
func (n *Notifier) alone() bool {
	return n.ledger.local != nil && n.config.Records == nil && !n.config.KeepBackend
}

// follow shows the record, and again after each change, while show wants more.
func (n *Notifier) follow(ctx context.Context, id string, show func(*record) bool) error {
	changed, remove := n.waiters.add(id)
	defer remove()
	began := time.Now()
	poll := pollEvery
	if n.alone() {
		poll = pollAlone
	}
	again := time.NewTimer(poll)
	defer again.Stop()
	for {
		pause := poll
		s, err := n.known(ctx, id)
		switch {
		case err == nil && !show(s.record):
			return nil
		case errors.Is(err, backend.ErrNotFound) && n.ledger.atomic == nil && time.Since(began) < unseenPatience:
			pause = min(pause, unseenPatience-time.Since(began))
		case err != nil:
			return unknown(id, err)
		}
		again.Reset(pause)
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("notify: waiting for %s: %w", id, ctx.Err())
		case <-n.ended:
			return ErrClosed
		}
	}
}
