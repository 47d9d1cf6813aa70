package notify

import (
	"maps"
	"slices"
	"time"
)

// Status is what is known of a notification. It follows from the facts alone,
// not from the order in which they came: see [Fold].
type Status struct {
	NotificationID string `json:"notification_id"`
	RecipientID    string `json:"recipient_id,omitempty"`
	Tenant         string `json:"tenant,omitempty"`
	Category       string `json:"category,omitempty"`
	// State is the headline.
	State State `json:"state"`
	// Settled says that every leg has ended. What a provider reports later may
	// still change the rest.
	Settled bool `json:"settled"`
	// AcceptedAt and SettledAt are when [Accepted] and [Settled] happened,
	// UpdatedAt when the latest of the facts did; zero is not yet, or not known.
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	SettledAt  time.Time `json:"settled_at,omitzero"`
	UpdatedAt  time.Time `json:"updated_at,omitzero"`
	// Legs are the legs of the plan, by number.
	Legs []LegStatus `json:"legs,omitempty"`
}

// LegStatus is what is known of a leg.
type LegStatus struct {
	Leg
	// Reason is why the leg ended without success; empty if it has not ended,
	// or has an attempt that counts as sent or delivered.
	Reason EndReason `json:"reason,omitempty"`
	// Attempts are those that have begun, by number.
	Attempts []AttemptStatus `json:"attempts,omitempty"`
}

// AttemptStatus is what is known of an attempt.
type AttemptStatus struct {
	Attempt  int    `json:"attempt"`
	Provider string `json:"provider,omitempty"`
	// State is one of sending, failed, unknown, sent, undelivered, delivered
	// and bounced, and At is when the fact happened that it rests on.
	State State     `json:"state"`
	At    time.Time `json:"at,omitzero"`
	// Calls is how many calls have begun.
	Calls int `json:"calls"`
	// MessageID is the provider's name for the message.
	MessageID string `json:"message_id,omitempty"`
	// Failure is that of the last call, or what the provider reported later,
	// which has no verdict. It is zero for a message that counts as sent or
	// delivered.
	Failure Failure `json:"failure,omitzero"`
}

// Fold computes a Status from a notification's events, for a read view. The
// zero Fold is ready for use. Events may come in any order, and any number of
// times: the same facts give the same Status. A Fold is not safe for concurrent
// use.
//
// Each attempt counts with the highest of what is known of it, in the order
// sending, failed for now, unknown, failed for good, sent, undelivered,
// delivered, bounced. The headline is the first of these that is true:
//
//   - delivered, sent, unknown: an attempt is;
//   - bounced, undelivered: an attempt is, and the notification is over:
//     it has settled or been canceled, has expired, been suppressed, or no way
//     is left;
//   - failed: no way is left; or it is over, and an attempt has failed for
//     good;
//   - canceled, expired, suppressed: the notification is, as a whole;
//   - sending: an attempt has begun;
//   - routed, accepted.
type Fold struct {
	id                          string
	recipient, tenant, category earliest[string]
	updated                     time.Time
	evidence                    evidenceSet
	legs                        map[int]*foldedLeg
}

// Add takes an event in, and tells whether it brought something new. Events
// that say nothing about delivery change nothing, and neither do those of
// another notification than that of the first event.
func (f *Fold) Add(e Event[any]) (changed bool) {
	if e.NotificationID == "" || f.id != "" && f.id != e.NotificationID {
		return false
	}
	e.Time = e.Time.Round(0).UTC()
	found := finding{fold: f, envelope: &e.Envelope}
	if !found.read(e.Data) {
		return false
	}
	found.note(f.id == "")
	f.id = e.NotificationID
	found.note(f.recipient.join(&e.Envelope, e.RecipientID))
	found.note(f.tenant.join(&e.Envelope, e.Tenant))
	found.note(f.category.join(&e.Envelope, e.Category))
	if e.Time.After(f.updated) {
		f.updated, found.changed = e.Time, true
	}
	if piece, ok := evidenceOf(&e.Envelope, e.Data); ok {
		joined, grew := f.evidence.join(piece)
		f.evidence = joined
		found.note(grew)
	}
	return found.changed
}

// State returns the headline; it is empty before the first event.
func (f *Fold) State() State {
	if f.id == "" {
		return ""
	}
	return f.evidence.state()
}

// Settled tells whether every leg has ended.
func (f *Fold) Settled() bool { return f.evidence.has(0, 0, evidenceSettled) }

// Status returns what the events amount to. It shares nothing with the Fold.
func (f *Fold) Status() Status {
	accepted, _ := f.evidence.find(0, 0, evidenceAccepted)
	settled, _ := f.evidence.find(0, 0, evidenceSettled)
	status := Status{
		NotificationID: f.id,
		RecipientID:    f.recipient.value,
		Tenant:         f.tenant.value,
		Category:       f.category.value,
		State:          f.State(),
		Settled:        f.Settled(),
		AcceptedAt:     accepted.At,
		SettledAt:      settled.At,
		UpdatedAt:      f.updated,
	}
	for _, number := range slices.Sorted(maps.Keys(f.legs)) {
		status.Legs = append(status.Legs, f.legs[number].status(number, f.evidence))
	}
	return status
}
