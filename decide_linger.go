package notify

import "time"

// lingering is a phase that a notification or a leg of it is in.
type lingering struct {
	phase Phase
	leg   int       // 0 is the whole
	entry string    // tells apart the times that the phase is entered
	since time.Time // from when its limit counts
	until time.Time // when it is over by itself; zero is never
}

// phases are those that the record is in: the whole while it has no plan, then
// each of its open legs.
func (d *decider) phases(r *record, now time.Time, yield func(lingering)) {
	switch {
	case r.settled() || r.Request == nil: // a tombstone waits for nothing
	case !r.Routed:
		first := later(r.AcceptedAt, r.Request.NotBefore)
		if r.HoldUntil.After(now) && r.HoldUntil.After(first) {
			yield(lingering{phase: PhaseHeld, since: first, until: r.HoldUntil})
		} else {
			yield(lingering{phase: PhaseAccepted, entry: itoa(r.Delays), since: later(r.AcceptedAt, r.HoldUntil)})
		}
	default:
		for i := range r.Legs {
			if l, ok := d.legPhase(r, i+1, now); ok {
				yield(l)
			}
		}
	}
}

func (d *decider) legPhase(r *record, number int, now time.Time) (lingering, bool) {
	leg := r.leg(number)
	l := lingering{leg: number, entry: itoa(leg.current()), since: leg.NextAt}
	switch a := leg.attempt(leg.current()); {
	case leg.State == legReceipt:
		arrived := r.arrived(number)
		l.phase, l.entry, l.until = PhaseSent, itoa(arrived), leg.NextAt
		sent, known := r.Evidence.find(number, arrived, evidenceSent)
		l.since = sent.At
		return l, known
	case leg.State != legOpen:
		return l, false
	case a != nil:
		l.phase, l.since = PhaseSending, leg.dueAt() // never under a live lease
		l.entry += "." + itoa(a.Granted)
		if !d.keeps(ruleV13) {
			l.since = a.FirstCall
		}
	case leg.Held > 0 && leg.NextAt.After(now):
		l.phase, l.entry, l.until = PhaseHeld, "", leg.NextAt
		l.since = later(leg.StartedAt, leg.NextAt.Add(-leg.Held))
	case len(leg.Attempts) > 0:
		l.phase = PhaseRetrying
	default:
		l.phase = PhaseRouted
	}
	return l, true
}

// told are the phases of which Stuck was raised, each with its last entry.
func (r *record) told(leg int) *map[Phase]string {
	if leg > 0 {
		return &r.leg(leg).Stuck
	}
	return &r.Stuck
}

// limitOf is the limit of what lingers and when it is reached; a zero time is
// never, or that it was and there is nothing more to do.
func (d *decider) limitOf(r *record, l lingering) (Limit, time.Time) {
	limit := d.limited()[l.phase]
	entry, known := (*r.told(l.leg))[l.phase]
	at := l.since.Add(limit.After)
	switch {
	case limit.After <= 0,
		known && entry == l.entry && limit.Then == LimitReport,
		!l.until.IsZero() && !at.Before(l.until):
		return limit, time.Time{}
	}
	return limit, at
}

// limitAt is when the first limit is reached; zero is never.
func (d *decider) limitAt(r *record, now time.Time) (first time.Time) {
	if d.limited() == nil {
		return first
	}
	d.phases(r, now, func(l lingering) {
		_, at := d.limitOf(r, l)
		first = earlier(first, at)
	})
	return first
}

// linger does what the limits say that are reached (21).
func (c *change) linger(r *record) {
	c.d.phases(r, c.now, func(l lingering) {
		limit, at := c.d.limitOf(r, l)
		if at.IsZero() || at.After(c.now) || c.settled() {
			return
		}
		if l.leg > 0 {
			c.lingerLeg(l, limit.Then)
			return
		}
		c.announce()
		c.stuck(l)
		switch {
		case limit.Then == LimitReport:
			return
		case c.Canceled: // before it was sent
			c.raise("canceled", c.now, Canceled{})
		default:
			c.raise("expired", c.now, Expired{At: c.over()})
		}
		c.settle(pending)
	})
}

func (c *change) lingerLeg(l lingering, then LimitPolicy) {
	if then == LimitReport {
		c.stuck(l)
		return
	}
	c.Sweeps = 0 // it moves on
	leg := c.leg(l.leg)
	ordinal := leg.current()
	arrived := c.arrived(l.leg)
	if l.phase == PhaseSending {
		arrived = 0
		if c.hadEffect(l.leg, ordinal) {
			arrived = ordinal
		}
	}
	if arrived > 0 { // by a report or a late answer
		c.sent(l.leg, arrived)
		return
	}
	c.stuck(l)
	switch {
	case l.phase != PhaseSending:
		c.endLeg(l.leg, EndExpired)
	case !c.d.keeps(ruleV14):
		leg.attempt(ordinal).Over = true
		c.endLeg(l.leg, EndExpired)
	default:
		ends := providerPolicy{} // whatever it could do: nothing is sent again
		c.inDoubt(l.leg, ordinal, ends, Failure{Verdict: VerdictUncertain, Class: ClassTimeout})
	}
}

// stuck raises Stuck, once for each time that the phase is entered.
func (c *change) stuck(l lingering) {
	told := c.told(l.leg)
	if entry, known := (*told)[l.phase]; known && entry == l.entry {
		return
	}
	*told = withEntry(*told, l.phase, l.entry)
	suffix := "stuck." + string(l.phase)
	if l.entry != "" {
		suffix += "." + l.entry
	}
	event := Stuck{State: c.state(), Since: l.since.Round(0).UTC(), Phase: l.phase}
	if l.leg > 0 {
		suffix = legID(l.leg, suffix)
		event.Leg, event.Channel = l.leg, c.leg(l.leg).Channel
	}
	c.raise(suffix, c.now, event)
}

// stuckSweeps is how many sweeps without progress make a notification stuck
// where there are no limits.
const stuckSweeps = 5

// sweptInVain counts a sweep that brings work back.
func (c *change) sweptInVain(before *record) {
	c.Sweeps++
	if c.Sweeps == stuckSweeps && c.d.limited() == nil {
		c.raise("stuck."+itoa(int(c.Seq)), c.now, Stuck{State: c.state(), Since: before.lastMoved()})
	}
}

// lastMoved is when the last event was raised.
func (r *record) lastMoved() time.Time {
	for i := len(r.Outbox) - 1; i >= 0; i-- {
		if e := r.Outbox[i].event; e != nil {
			return e.seen
		}
	}
	return r.AcceptedAt
}
