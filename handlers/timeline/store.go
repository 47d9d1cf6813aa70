package timeline

import (
	"context"

	"github.com/seed-6c01d079/notify"
)

// Store keeps the events of notifications. All methods are safe for concurrent
// use. Package timelinetest checks a store against this contract; [NewEntry],
// [Query.Resolve] and [Query.Matches] help to write one.
type Store interface {
	// Add keeps an event of the notification that it names; one that names
	// none is refused with a [notify.FieldError]. When Add returns nil, Get and
	// List show the event, unless a cap of the store's leaves it out. An event
	// whose ID the notification has already changes nothing. The order of the
	// events may be any: the status is [notify.Fold]'s of all that were added.
	// Add keeps e as it is and never changes what it points to, since observers
	// share it.
	Add(ctx context.Context, e notify.Event[any]) error
	// Get returns the entry of a notification, or an error that wraps
	// [notify.ErrNotFound].
	Get(ctx context.Context, id string) (Entry, error)
	// List returns a page of the entries that match q, the newest first: in
	// descending order of their [Position]. An entry that neither comes nor
	// moves nor goes while a list is read, page by page, is on exactly one of
	// its pages. What is wrong with q is reported as [notify.FieldError].
	List(ctx context.Context, q Query) (Page, error)
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	// Next is the [Query.After] of the next page; empty if there is none.
	Next string
}
