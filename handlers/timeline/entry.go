package timeline

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Entry is what is known of one notification. Its slices are the caller's own;
// what the events point to is shared and must not be changed.
type Entry struct {
	// At places the entry in a list: when the notification was accepted or,
	// while that is not known, when the first of its events happened. In UTC
	// and whole microseconds.
	At time.Time
	// Status is what the events amount to, with all attempts.
	Status notify.Status
	// Labels are the host's own, as given with the notification: those of the
	// lifecycle event that happened first and has any. Beyond 16, and those of more
	// than 128 bytes, which only a stranger's event has, are left out. Nil is none.
	Labels map[string]string
	// Events are in the order in which they first came: the log's, unless some
	// came out of order, such as from the dead letters.
	Events []notify.Event[any]
	// Truncated says that Events are missing: those that a store at its cap left out,
	// which still count in the Status, or those that List could not decode, which do
	// not.
	Truncated bool
}

// NewEntry makes an entry of events of one notification, in any order and any
// of them many times; those of another one than the first are left out. It is
// for stores, and for events that come from elsewhere, such as
// [notify.Notifier.Watch].
func NewEntry(events ...notify.Event[any]) Entry {
	var h history
	for _, e := range events {
		if e.NotificationID == "" || h.id != "" && e.NotificationID != h.id {
			continue
		}
		h.id = e.NotificationID
		h.add(e, len(events))
	}
	return h.entry()
}

// Position returns the entry's place in a list.
func (e Entry) Position() Position { return Position{At: e.At, ID: e.Status.NotificationID} }

// history is a notification's events and what they amount to.
type history struct {
	id        string
	fold      notify.Fold
	first     time.Time // when the first event happened; zero is not known
	status    notify.Status
	labels    labels
	place     Position
	events    []notify.Event[any]
	truncated bool
}

// add takes an event in and keeps it, if that makes no more than most.
func (h *history) add(e notify.Event[any], most int) {
	if h.has(e.ID) {
		return
	}
	if at := e.Time.Round(0).UTC(); h.first.IsZero() || at.Before(h.first) && !at.IsZero() {
		h.first = at
	}
	if OfLifecycle(e) {
		h.labels.join(&e.Envelope)
	}
	h.keep(e, most)
	if h.fold.Add(e) || h.status.NotificationID == "" {
		h.status = h.fold.Status()
		h.status.NotificationID = h.id
	}
	at := h.status.AcceptedAt
	if at.IsZero() {
		at = h.first
	}
	h.place = Position{At: at.Truncate(time.Microsecond), ID: h.id}
}

func (h *history) has(eventID string) bool {
	return slices.ContainsFunc(h.events, func(e notify.Event[any]) bool { return e.ID == eventID })
}

// keep appends the event. When there is no room, it makes some by dropping the
// latest event that is not of the lifecycle.
func (h *history) keep(e notify.Event[any], most int) {
	if len(h.events) < most {
		h.events = append(h.events, e)
		return
	}
	h.truncated = true
	if !OfLifecycle(e) {
		return
	}
	for i, kept := range slices.Backward(h.events) {
		if !OfLifecycle(kept) {
			h.events = append(slices.Delete(h.events, i, i+1), e)
			return
		}
	}
}

// Append returns the events with e added, in a new slice, unless they have it
// already. It is for stores with a cap on a notification's events: if there are
// most already and e is not of the lifecycle, e is left out, and leftOut is
// true.
func Append(events []notify.Event[any], e notify.Event[any], most int) (with []notify.Event[any], leftOut bool) {
	switch {
	case slices.ContainsFunc(events, func(has notify.Event[any]) bool { return has.ID == e.ID }):
		return events, false
	case len(events) >= most && !OfLifecycle(e):
		return events, true
	}
	return append(slices.Clip(events), e), false
}

// OfLifecycle tells whether the event is about delivery, rather than engagement
// or an event of the host's. It is for stores: at their cap they leave out the
// others first, whose number has no bound.
func OfLifecycle(e notify.Event[any]) bool {
	_, engagement := e.Data.(interface{ EngagementRef() notify.Engagement })
	return !engagement && strings.HasPrefix(e.Type, "notify.")
}

// over tells whether little more is to come: the notification has settled, or
// the entry was dropped and only the rest of it came.
func (h *history) over() bool { return h.status.Settled || h.status.AcceptedAt.IsZero() }

func (h *history) entry() Entry {
	status := h.status
	status.Legs = slices.Clone(status.Legs)
	for i := range status.Legs {
		status.Legs[i].Attempts = slices.Clone(status.Legs[i].Attempts)
	}
	labels := maps.Clone(h.labels.pairs)
	if len(labels) == 0 {
		labels = nil
	}
	return Entry{At: h.place.At, Status: status, Labels: labels, Events: slices.Clone(h.events), Truncated: h.truncated}
}
