package notify

import (
	"cmp"
	"slices"
	"time"
)

// evidenceKind is what is known of an attempt, or of the whole notification.
type evidenceKind string

// What is known of an attempt, in the order of rank: a later one implies that
// those before it are over.
const (
	evidenceIntent       evidenceKind = "intent"
	evidenceRejectedTemp evidenceKind = "rejected_temporarily"
	evidenceUnknown      evidenceKind = "unknown"
	evidenceRejectedPerm evidenceKind = "rejected_permanently"
	evidenceSent         evidenceKind = "sent"
	evidenceUndelivered  evidenceKind = "undelivered"
	evidenceDelivered    evidenceKind = "delivered"
	evidenceBounced      evidenceKind = "bounced"
)

// What is known of the whole, which is leg 0, attempt 0.
const (
	evidenceAccepted   evidenceKind = "accepted"
	evidenceRouted     evidenceKind = "routed"
	evidenceExhausted  evidenceKind = "exhausted"
	evidenceCanceled   evidenceKind = "canceled"
	evidenceExpired    evidenceKind = "expired"
	evidenceSuppressed evidenceKind = "suppressed"
	evidenceSettled    evidenceKind = "settled" // no leg is left to go on with
)

// order is the rank; 0 is a kind of a later version, which ranks lowest.
func (k evidenceKind) order() int {
	switch k {
	case evidenceIntent, evidenceAccepted:
		return 1
	case evidenceRejectedTemp, evidenceRouted:
		return 2
	case evidenceUnknown, evidenceExhausted:
		return 3
	case evidenceRejectedPerm, evidenceCanceled:
		return 4
	case evidenceSent, evidenceExpired:
		return 5
	case evidenceUndelivered, evidenceSuppressed:
		return 6
	case evidenceDelivered, evidenceSettled:
		return 7
	case evidenceBounced:
		return 8
	default:
		return 0
	}
}

// evidence is one fact about an attempt or the whole. At is when it happened,
// EventID the event that said so.
type evidence struct {
	Leg     int          `json:"leg,omitempty"`
	Attempt int          `json:"attempt,omitempty"`
	Kind    evidenceKind `json:"kind"`
	At      time.Time    `json:"at,omitzero"`
	EventID string       `json:"event_id,omitempty"`
}

// evidenceOf returns what an event is evidence of, if it is of anything.
func evidenceOf(e *Envelope, data any) (evidence, bool) {
	switch d := data.(type) {
	case Accepted:
		return aboutAll(e, evidenceAccepted)
	case Routed:
		return aboutAll(e, evidenceRouted)
	case Sending:
		return of(e, d.Attempt, evidenceIntent)
	case Retrying:
		if !d.SameAttempt {
			return of(e, d.Attempt, evidenceRejectedTemp)
		}
	case Sent:
		return of(e, d.Attempt, evidenceSent)
	case Unknown:
		return of(e, d.Attempt, evidenceUnknown)
	case Delivered:
		return of(e, d.Attempt, evidenceDelivered)
	case Undelivered:
		return of(e, d.Attempt, evidenceUndelivered)
	case Bounced:
		return of(e, d.Attempt, evidenceBounced)
	case Failed:
		switch d.Reason {
		case EndRejected, EndExhausted, EndBudget:
			return of(e, d.Attempt, evidenceRejectedPerm)
		}
	case FailedOver:
		if d.From.Leg.Leg == d.To.Leg.Leg && d.Reason != EndUnavailable {
			return of(e, d.From, evidenceRejectedPerm)
		}
	case Undeliverable:
		return aboutAll(e, evidenceExhausted)
	case Canceled:
		return aboutAll(e, evidenceCanceled)
	case Expired:
		if d.Leg.Leg == 0 {
			return aboutAll(e, evidenceExpired)
		}
	case Suppressed:
		if d.Leg.Leg == 0 {
			return aboutAll(e, evidenceSuppressed)
		}
	case Settled:
		return aboutAll(e, evidenceSettled)
	}
	return evidence{}, false
}

func aboutAll(e *Envelope, kind evidenceKind) (evidence, bool) {
	return evidence{Kind: kind, At: e.Time, EventID: e.ID}, true
}

func of(e *Envelope, a Attempt, kind evidenceKind) (evidence, bool) {
	if a.Leg.Leg < 1 || a.Attempt < 1 {
		return evidence{}, false
	}
	return evidence{a.Leg.Leg, a.Attempt, kind, e.Time, e.ID}, true
}

// evidenceSet holds evidence in the order of leg, attempt and rank, one of a
// kind. It only grows, and joining is commutative, associative and idempotent,
// so that the order of arrival never matters. A set is never changed: sets may
// share memory.
type evidenceSet []evidence

// join returns s with e in it, and whether that differs from s. Of two of a
// kind the earlier stays; at the same time, the one with the smaller event ID.
func (s evidenceSet) join(e evidence) (evidenceSet, bool) {
	joined := make(evidenceSet, len(s), len(s)+1)
	copy(joined, s)
	joined, changed := joined.joinOwn(e)
	if !changed {
		return s, false
	}
	return joined, true
}

// joinOwn is join for a set that nobody else has: it changes s's memory.
func (s evidenceSet) joinOwn(e evidence) (evidenceSet, bool) {
	e.At = e.At.Round(0).UTC()
	i, found := slices.BinarySearchFunc(s, e, compareEvidence)
	if !found {
		return slices.Insert(s, i, e), true
	}
	if cmp.Or(e.At.Compare(s[i].At), cmp.Compare(e.EventID, s[i].EventID)) >= 0 {
		return s, false
	}
	s[i] = e
	return s, true
}

func compareEvidence(a, b evidence) int {
	switch {
	case a.Leg != b.Leg:
		return cmp.Compare(a.Leg, b.Leg)
	case a.Attempt != b.Attempt:
		return cmp.Compare(a.Attempt, b.Attempt)
	case a.Kind == b.Kind:
		return 0
	}
	return cmp.Or(cmp.Compare(a.Kind.order(), b.Kind.order()), cmp.Compare(a.Kind, b.Kind))
}

// has tells whether s holds that kind of the attempt; the whole is 0, 0.
func (s evidenceSet) has(leg, attempt int, kind evidenceKind) bool {
	_, found := s.find(leg, attempt, kind)
	return found
}

func (s evidenceSet) find(leg, attempt int, kind evidenceKind) (evidence, bool) {
	i, found := slices.BinarySearchFunc(s, evidence{Leg: leg, Attempt: attempt, Kind: kind}, compareEvidence)
	if !found {
		return evidence{}, false
	}
	return s[i], true
}

// rank returns the attempt's highest kind, or nothing if none is known.
func (s evidenceSet) rank(leg, attempt int) evidenceKind {
	return s.highest(leg, attempt).Kind
}

func (s evidenceSet) highest(leg, attempt int) evidence {
	var highest evidence
	for _, e := range s {
		if e.Leg == leg && e.Attempt == attempt {
			highest = e
		}
	}
	return highest
}

// attempts yields the highest evidence of each attempt, in order.
func (s evidenceSet) attempts(yield func(highest evidence) bool) {
	for i, e := range s {
		last := i+1 == len(s) || s[i+1].Leg != e.Leg || s[i+1].Attempt != e.Attempt
		if e.Attempt > 0 && last && !yield(e) {
			return
		}
	}
}
