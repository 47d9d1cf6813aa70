package notify

import (
	"cmp"
	"time"
)

// Beside the evidence, a Fold keeps what Status shows of legs and attempts.
// Each value has a rule of joining that is commutative, associative and
// idempotent, as the evidence has.

// earliest keeps the value of the event that happened first; at the same
// time, of the smaller event ID, then the smaller value. Empty is no value.
type earliest[T ~string] struct {
	at    time.Time
	id    string
	value T
}

func (k *earliest[T]) join(e *Envelope, value T) bool {
	if value == "" {
		return false
	}
	order := cmp.Or(e.Time.Compare(k.at), cmp.Compare(e.ID, k.id), cmp.Compare(value, k.value))
	if k.value != "" && order >= 0 {
		return false
	}
	*k = earliest[T]{e.Time, e.ID, value}
	return true
}

// lastFailure keeps the failure of the highest rank, then of the latest call.
type lastFailure struct {
	Failure
	rank evidenceKind
	call int
	at   time.Time
	id   string
}

func (k *lastFailure) join(other lastFailure) bool {
	if other.Failure == (Failure{}) {
		return false
	}
	order := cmp.Or(
		cmp.Compare(other.rank.order(), k.rank.order()),
		cmp.Compare(other.call, k.call),
		other.at.Compare(k.at),
		cmp.Compare(other.id, k.id),
		cmp.Compare(other.Verdict, k.Verdict),
		cmp.Compare(other.Class, k.Class),
		cmp.Compare(other.Code, k.Code),
	)
	if order <= 0 {
		return false
	}
	*k = other
	return true
}

type foldedLeg struct {
	channel  earliest[Channel]
	reason   earliest[EndReason]
	attempts map[int]*foldedAttempt
}

type foldedAttempt struct {
	provider  earliest[string]
	messageID earliest[string]
	calls     int
	failure   lastFailure
}

func (l *foldedLeg) status(number int, known evidenceSet) LegStatus {
	status := LegStatus{Leg: Leg{Leg: number, Channel: l.channel.value}, Reason: l.reason.value}
	for highest := range known.attempts {
		if highest.Leg != number {
			continue
		}
		attempt := l.attempts[highest.Attempt].status(highest)
		status.Attempts = append(status.Attempts, attempt)
		if attempt.State.succeeded() {
			status.Reason = ""
		}
	}
	return status
}

func (a *foldedAttempt) status(highest evidence) AttemptStatus {
	status := AttemptStatus{
		Attempt:   highest.Attempt,
		Provider:  a.provider.value,
		State:     highest.Kind.state(),
		At:        highest.At,
		Calls:     max(a.calls, 1),
		MessageID: a.messageID.value,
		Failure:   a.failure.Failure,
	}
	if status.State.succeeded() {
		status.Failure = Failure{}
	}
	return status
}

func (s State) succeeded() bool { return s == StateSent || s == StateDelivered }

// finding is one event on its way into a Fold.
type finding struct {
	fold     *Fold
	envelope *Envelope
	changed  bool
}

func (n *finding) note(changed bool) { n.changed = n.changed || changed }

// read takes in what is not evidence, and tells whether the event is about
// delivery at all.
func (n *finding) read(data any) bool {
	switch d := data.(type) {
	case Accepted, Undeliverable, Canceled, Settled:
	case Routed:
		for _, leg := range d.Legs {
			n.leg(leg)
		}
	case Sending:
		n.calls(d.Attempt, d.Call)
	case Sent:
		n.messageID(d.Attempt, d.MessageID)
	case Retrying:
		n.calls(d.Attempt, d.Call)
		n.failure(d.Attempt, evidenceRejectedTemp, d.Call, d.Failure)
	case Unknown:
		n.failure(d.Attempt, evidenceUnknown, 0, d.Failure)
	case Delivered:
		n.messageID(d.Attempt, d.MessageID)
	case Undelivered:
		n.messageID(d.Attempt, d.MessageID)
		n.failure(d.Attempt, evidenceUndelivered, 0, Failure{Class: d.Class, Code: d.Code})
	case Bounced:
		n.messageID(d.Attempt, d.MessageID)
		n.failure(d.Attempt, evidenceBounced, 0, Failure{Class: d.Class, Code: d.Code})
	case Failed:
		n.ended(d.Leg, d.Reason)
		n.failure(d.Attempt, evidenceRejectedPerm, 0, d.Failure)
	case FailedOver:
		n.leg(d.To.Leg)
		n.failure(d.From, evidenceRejectedPerm, 0, d.Failure)
		if d.From.Leg.Leg != d.To.Leg.Leg {
			n.ended(d.From.Leg, d.Reason)
		}
	case Expired:
		n.ended(d.Leg, EndExpired)
	case Suppressed:
		n.ended(d.Leg, EndSuppressed)
	default:
		return false
	}
	return true
}

// leg returns what is kept of the leg, and nil for the notification as a
// whole.
func (n *finding) leg(l Leg) *foldedLeg {
	if l.Leg < 1 {
		return nil
	}
	leg, found := n.fold.legs[l.Leg]
	if !found {
		leg = &foldedLeg{attempts: map[int]*foldedAttempt{}}
		if n.fold.legs == nil {
			n.fold.legs = map[int]*foldedLeg{}
		}
		n.fold.legs[l.Leg] = leg
		n.changed = true
	}
	n.note(leg.channel.join(n.envelope, l.Channel))
	return leg
}

// attempt returns what is kept of the attempt, and nil if it is none.
func (n *finding) attempt(a Attempt) *foldedAttempt {
	leg := n.leg(a.Leg)
	if leg == nil || a.Attempt < 1 {
		return nil
	}
	attempt, found := leg.attempts[a.Attempt]
	if !found {
		attempt = &foldedAttempt{}
		leg.attempts[a.Attempt] = attempt
	}
	n.note(attempt.provider.join(n.envelope, a.Provider))
	return attempt
}

func (n *finding) ended(l Leg, reason EndReason) {
	if leg := n.leg(l); leg != nil {
		n.note(leg.reason.join(n.envelope, reason))
	}
}

func (n *finding) calls(a Attempt, call int) {
	if attempt := n.attempt(a); attempt != nil && call > attempt.calls {
		attempt.calls, n.changed = call, true
	}
}

func (n *finding) messageID(a Attempt, id string) {
	if attempt := n.attempt(a); attempt != nil {
		n.note(attempt.messageID.join(n.envelope, id))
	}
}

func (n *finding) failure(a Attempt, rank evidenceKind, call int, failure Failure) {
	if attempt := n.attempt(a); attempt != nil {
		n.note(attempt.failure.join(lastFailure{failure, rank, call, n.envelope.Time, n.envelope.ID}))
	}
}
