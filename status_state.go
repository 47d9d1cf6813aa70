package notify

// state is the headline: a function of the set alone, so that whoever has the
// same facts says the same, in whatever order they came. More is what else is
// known of the whole.
func (s evidenceSet) state(more ...evidenceKind) State {
	var known findings
	for _, kind := range more {
		known.add(kind)
	}
	for i := range s {
		e := &s[i]
		switch {
		case e.Attempt == 0:
			known.add(e.Kind)
		case i+1 == len(s) || s[i+1].Leg != e.Leg || s[i+1].Attempt != e.Attempt:
			// The last of an attempt is its highest.
			known.add(e.Kind)
			known.attempted = true
		}
	}
	return known.state()
}

// findings are the kinds of evidence that the headline follows from: of each
// attempt its highest.
type findings struct {
	attempted                                              bool
	delivered, sent, unknown, bounced, undelivered, failed bool
	exhausted, canceled, expired, suppressed, settled      bool
	routed                                                 bool
}

func (f *findings) add(kind evidenceKind) {
	switch kind {
	case evidenceDelivered:
		f.delivered = true
	case evidenceSent:
		f.sent = true
	case evidenceUnknown:
		f.unknown = true
	case evidenceBounced:
		f.bounced = true
	case evidenceUndelivered:
		f.undelivered = true
	case evidenceRejectedPerm:
		f.failed = true
	case evidenceExhausted:
		f.exhausted = true
	case evidenceCanceled:
		f.canceled = true
	case evidenceExpired:
		f.expired = true
	case evidenceSuppressed:
		f.suppressed = true
	case evidenceSettled:
		f.settled = true
	case evidenceRouted:
		f.routed = true
	}
}

func (f *findings) state() State {
	over := f.exhausted || f.canceled || f.expired || f.suppressed || f.settled
	switch {
	case f.delivered:
		return StateDelivered
	case f.sent:
		return StateSent
	case f.unknown:
		return StateUnknown
	case over && f.bounced:
		return StateBounced
	case over && f.undelivered:
		return StateUndelivered
	case over && f.failed, f.exhausted:
		return StateFailed
	case f.canceled:
		return StateCanceled
	case f.expired:
		return StateExpired
	case f.suppressed:
		return StateSuppressed
	case f.attempted:
		return StateSending
	case f.routed:
		return StateRouted
	default:
		return StateAccepted
	}
}

// state is an attempt's, by its rank.
func (k evidenceKind) state() State {
	switch k {
	case evidenceRejectedTemp, evidenceRejectedPerm:
		return StateFailed
	case evidenceUnknown:
		return StateUnknown
	case evidenceSent:
		return StateSent
	case evidenceUndelivered:
		return StateUndelivered
	case evidenceDelivered:
		return StateDelivered
	case evidenceBounced:
		return StateBounced
	default:
		return StateSending
	}
}

// State is the headline of a notification's status. See [Fold] for how
// it follows from the facts.
type State string

// The states.
const (
	StateAccepted    State = "accepted"
	StateRouted      State = "routed"
	StateSending     State = "sending"
	StateSent        State = "sent"
	StateDelivered   State = "delivered"
	StateUnknown     State = "unknown"
	StateBounced     State = "bounced"
	StateUndelivered State = "undelivered"
	StateFailed      State = "failed"
	StateCanceled    State = "canceled"
	StateExpired     State = "expired"
	StateSuppressed  State = "suppressed"
)
