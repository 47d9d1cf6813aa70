package notify

// state is the headline: a function of the set alone, so that whoever has the
// same facts says the same, in whatever order they came.
func (s evidenceSet) state() State {
	var any, delivered, sent, unknown, bounced, undelivered, rejected bool
	for highest := range s.attempts {
		any = true
		switch highest.Kind {
		case evidenceDelivered:
			delivered = true
		case evidenceSent:
			sent = true
		case evidenceUnknown:
			unknown = true
		case evidenceBounced:
			bounced = true
		case evidenceUndelivered:
			undelivered = true
		case evidenceRejectedPerm:
			rejected = true
		}
	}
	exhausted := s.has(0, 0, evidenceExhausted)
	canceled := s.has(0, 0, evidenceCanceled)
	expired := s.has(0, 0, evidenceExpired)
	suppressed := s.has(0, 0, evidenceSuppressed)
	over := exhausted || canceled || expired || suppressed || s.has(0, 0, evidenceSettled)
	switch {
	case delivered:
		return StateDelivered
	case sent:
		return StateSent
	case unknown:
		return StateUnknown
	case over && bounced:
		return StateBounced
	case over && undelivered:
		return StateUndelivered
	case over && rejected, exhausted:
		return StateFailed
	case canceled:
		return StateCanceled
	case expired:
		return StateExpired
	case suppressed:
		return StateSuppressed
	case any:
		return StateSending
	case s.has(0, 0, evidenceRouted):
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
