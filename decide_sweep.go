package notify

import "time"

// sweepGrace is how long after its time something is overdue. It doubles with
// every sweep that brought no progress, up to 64 times as long.
const sweepGrace = 30 * time.Second

// sweep brings back what is overdue (20), after what was unpublished, and holds
// to their limits what lingers (21).
func (d *decider) sweep(r *record, now time.Time) *change {
	due := r.overdue(d.grace())
	overdue := !due.IsZero() && !now.Before(due)
	left := !r.SweepAt.IsZero() && !now.Before(r.SweepAt)
	limit := d.limitAt(r, now)
	lingers := !limit.IsZero() && !now.Before(limit)
	if r.settled() || !overdue && !left && !lingers {
		return nil
	}
	c := d.change(r, now)
	c.Sweeps = r.Sweeps
	if lingers {
		c.linger(r)
	}
	switch {
	case c.settled() || !overdue && !left:
		return c
	case left:
		c.SweepAt = r.nextMove(now)
	default:
		c.sweptInVain(r)
	}
	if !c.Routed && c.Request != nil {
		c.push(work{Topic: routeTopic}, later(c.HoldUntil, now))
	}
	for i := range c.Legs {
		leg := &c.Legs[i]
		switch {
		case leg.State == legReceipt && !leg.NextAt.After(now):
			c.Sweeps = 0
			c.endLeg(i+1, "")
		case leg.State == legOpen && r.Legs[i].State == legOpen && !leg.dueAt().After(now):
			c.push(work{Leg: i + 1, Ordinal: leg.current(), Topic: deliverTopic(leg.Channel, c.Urgent)}, now)
		}
	}
	return c
}

// takeOver brings back the work of attempts whose owner died, at once and
// whatever is due; nil: there are none.
func (d *decider) takeOver(r *record, now time.Time) *change {
	var c *change
	for i := range r.Legs {
		leg := &r.Legs[i]
		a := leg.attempt(leg.current())
		if leg.State != legOpen || a == nil || !now.Before(a.Lease.Until) || d.held(a, now) {
			continue
		}
		if c == nil {
			c = d.change(r, now)
			c.Sweeps = r.Sweeps
		}
		c.push(work{Leg: i + 1, Ordinal: leg.current(), Topic: deliverTopic(leg.Channel, c.Urgent)}, now)
	}
	return c
}

// grace is how long the sweep leaves work to the topics, which bring it when
// they can hold it until its time.
func (d *decider) grace() time.Duration {
	if d.delays {
		return sweepGrace
	}
	return 0
}

// due is when the sweep should look at the record; zero is never.
func (d *decider) due(r *record, now time.Time) time.Time {
	if r.unpublished() && d.keeps(ruleV8) {
		return now.Add(sweepGrace)
	}
	if r.settled() {
		return time.Time{}
	}
	due := r.overdue(d.grace())
	if r.Sweeps > 0 && !due.IsZero() {
		due = later(due, now.Add(sweepGrace<<min(r.Sweeps-1, 6)))
	}
	return earlier(earlier(due, r.SweepAt), d.limitAt(r, now))
}

// nextMove is when the next of the open legs is due that are not yet; zero is
// never.
func (r *record) nextMove(now time.Time) (next time.Time) {
	for i := range r.Legs {
		if at := r.Legs[i].dueAt(); r.Legs[i].State == legOpen && at.After(now) {
			next = earlier(next, at)
		}
	}
	return next
}

// overdue is when the first thing that the record waits for is overdue.
func (r *record) overdue(grace time.Duration) time.Time {
	if !r.Routed {
		if r.Request == nil {
			return time.Time{} // a tombstone waits for nothing
		}
		if r.HoldUntil.IsZero() {
			return r.AcceptedAt.Add(sweepGrace)
		}
		return r.HoldUntil.Add(grace)
	}
	var first time.Time
	for i := range r.Legs {
		leg := &r.Legs[i]
		at := leg.dueAt()
		switch leg.State {
		case legReceipt:
		case legOpen:
			if held := at.After(leg.StartedAt); held || leg.attempt(leg.current()) != nil {
				at = at.Add(grace)
			} else {
				at = at.Add(sweepGrace)
			}
		default:
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
