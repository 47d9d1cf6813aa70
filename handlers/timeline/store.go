package timeline

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify"
)

// Store keeps the events of notifications. All methods are safe for concurrent
// use. Package timelinetest checks a store against this contract; [NewEntry],
// [Append], [Entry.Tags], [Query.Resolve], [Query.Tags] and [RecipientHash] help to
// write one.
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
	// its pages. An entry with an event that does not decode, since the host has
	// changed its type, is shown without it, as Truncated; Get and Add fail then. What
	// is wrong with q is reported as [notify.FieldError].
	List(ctx context.Context, q Query) (Page, error)
	// Erase removes all that is kept of the notifications of a recipient of the
	// tenant, which is empty for one without; they are those that the
	// [notify.Status] or any event says are theirs. It returns how many there were.
	//
	// Nothing brings them back: from now on Add takes no event, and returns nil, of a
	// notification that was erased, nor of any other that happened before Erase was
	// called and names the recipient, such as one that an observer that lags behind
	// or a replay brings later, and nothing more of that one's notification. What is
	// sent to them afterwards is kept as any other. Between processes it is their
	// clocks that say what was before.
	//
	// To do so the store remembers the notifications' IDs, and the recipient by its
	// [RecipientHash]: for as long as it would have kept the notifications, and up to
	// as many. When Erase fails, some may be left; call it again. It erases nothing in
	// the log, the records or the dead letters of the notifier, whose retention bounds
	// what they have.
	Erase(ctx context.Context, tenant, recipientID string) (erased int, err error)
}

// Codec turns events into messages and back, for stores that keep bytes. A
// [notify.Notifier] is one; it knows the host's own events that are registered with
// it.
type Codec interface {
	Encode(e notify.Event[any]) (*message.Message, error)
	Decode(m *message.Message) (notify.Event[any], error)
}

// Page is a part of a list.
type Page struct {
	Entries []Entry
	// Next is the [Query.After] of the next page; empty if there is none.
	Next string
}
