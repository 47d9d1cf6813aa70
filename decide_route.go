package notify

import "time"

// routing is what the route step has to do next.
type routing uint8

const (
	routeDone   routing = iota // decided before, or by this change
	routeWait                  // put back until HoldUntil
	routeToPlan                // ask the guards and the directory, then plan
)

// route begins the route step (4). The change may be nil: nothing to store.
func (d *decider) route(r *record, now time.Time) (*change, routing) {
	if r.settled() || r.Routed {
		return nil, routeDone
	}
	c := d.change(r, now)
	c.announce()
	switch {
	case c.Canceled:
		c.raise("canceled", now, Canceled{})
		c.settle(pending)
		return c, routeDone
	case !now.Before(c.Deadline):
		c.raise("expired", now, Expired{At: c.Deadline})
		c.settle(pending)
		return c, routeDone
	case c.HoldUntil.After(now):
		return nil, routeWait
	case c.Request.NotBefore.After(now):
		c.hold(c.Request.NotBefore, Delayed{Until: c.Request.NotBefore, Reason: DelayScheduled})
		return c, routeDone
	}
	return c, routeToPlan
}

// announce raises Accepted, once.
func (c *change) announce() {
	if c.Announced || c.Request == nil {
		return
	}
	c.Announced = true
	c.raise("accepted", c.AcceptedAt, Accepted{
		Route: c.Request.Route, Template: c.Request.Template, Urgent: c.Urgent,
		NotBefore: c.Request.NotBefore, ExpiresAt: c.Request.ExpiresAt,
	})
}

// hold makes the route step wait until a time.
func (c *change) hold(until time.Time, why Delayed) {
	until = earlier(until, c.Deadline).UTC() // a guard's zone may be one that JSON has not
	c.HoldUntil, why.Until = until, until
	c.Delays++
	c.raise("delayed."+itoa(c.Delays), c.now, why)
	c.push(work{Topic: routeTopic}, until)
}

// suppress ends a notification that a guard said no to.
func (c *change) suppress(guard, reason string) {
	c.raise("suppressed", c.now, Suppressed{Guard: guard, Reason: reason})
	c.Routed = true
	c.settle(pending)
}

// unknownRecipient ends a notification whose recipient nobody knows.
func (c *change) unknownRecipient() {
	c.Routed = true
	c.raise("undeliverable", c.now, Undeliverable{Reason: UndeliverableNoRecipient})
	c.settle(pending)
}

// plan stores the one plan, and starts its first legs.
func (c *change) plan(p planned, hash func(Channel) string) {
	c.Routed = true
	if len(p.legs) == 0 {
		c.raise("undeliverable", c.now, Undeliverable{Reason: UndeliverableNoRoute, Rejected: p.rejected})
		c.settle(pending)
		return
	}
	c.Plan = p.plan
	c.Legs = make([]legRecord, len(p.legs))
	for i, leg := range p.legs {
		c.Legs[i] = legRecord{Channel: leg.Channel, AddressHash: hash(leg.Channel)}
	}
	c.raise("routed", c.now, Routed{Plan: p.route, Legs: p.legs, Rejected: p.rejected})
	c.advance(0)
}

// start begins a leg.
func (c *change) start(number int) {
	leg := c.leg(number)
	leg.State, leg.StartedAt = legOpen, c.now
	c.pushLeg(number, c.now)
}

// advance starts the legs that the plan says are next, after the leg from has
// ended (17), and settles when none is left.
func (c *change) advance(from int) {
	if c.settled() && c.d.keeps(ruleV12) {
		return
	}
	for i := range c.Legs {
		// What was reported since may have made good what ended otherwise.
		if leg := &c.Legs[i]; leg.State == legEnded && leg.Reason != "" {
			leg.Reason = c.lasting(i+1, leg.Reason)
		}
	}
	result, starts := c.Plan.next(c.Legs)
	if !c.Canceled {
		for _, number := range starts {
			if from > 0 && c.leg(from).Reason != "" {
				c.raise(legID(number, "failed_over"), c.now, FailedOver{
					From: c.last(from), To: c.ref(number, 0),
					Reason: c.leg(from).Reason, Failure: c.leg(from).Failure,
				})
			}
			c.start(number)
		}
	}
	for i := range c.Legs {
		if state := c.Legs[i].State; state == legOpen || state == legReceipt {
			return
		}
	}
	c.settle(result)
}

// endLeg ends a leg, an empty reason being success, and goes on with the plan.
func (c *change) endLeg(number int, reason EndReason) {
	leg := c.leg(number)
	if leg.State == legEnded {
		return
	}
	if reason != "" && reason != EndCanceled {
		reason = c.lasting(number, reason)
	}
	leg.State, leg.Reason, leg.Message = legEnded, reason, nil
	switch reason {
	case "", EndInDoubt, EndCanceled:
	case EndExpired:
		c.raise(legID(number, "expired"), c.now, Expired{Leg: c.ref(number, 0).Leg, At: c.over()})
	case EndSuppressed:
		c.raise(legID(number, "suppressed"), c.now, Suppressed{Leg: c.ref(number, 0).Leg, Guard: leg.Guard, Reason: leg.GuardReason})
	default:
		c.raise(legID(number, "failed"), c.now, Failed{Attempt: c.last(number), Reason: reason, Failure: leg.Failure})
	}
	c.advance(number)
}

// lasting is the reason with which a leg ends that cannot go on: it has failed
// only if each of its attempts has. One in doubt may be followed by others,
// where a provider is used with ResendInDoubt.
func (c *change) lasting(number int, reason EndReason) EndReason {
	for ordinal := 1; ordinal <= len(c.leg(number).Attempts); ordinal++ {
		switch c.Evidence.rank(number, ordinal) {
		case evidenceSent, evidenceDelivered:
			return ""
		case evidenceUnknown:
			if !c.leg(number).attempt(ordinal).allRefused() {
				reason = EndInDoubt
			}
		}
	}
	return reason
}

// settle ends the notification: every leg has ended, with that result.
func (c *change) settle(result progress) {
	if c.settled() {
		return
	}
	if result == failed && !c.Canceled {
		c.giveUp()
	}
	c.correct()
	attempts, calls := 0, 0
	for i := range c.Legs {
		attempts += len(c.Legs[i].Attempts)
		for j := range c.Legs[i].Attempts {
			calls += c.Legs[i].Attempts[j].Granted
		}
	}
	c.raise("settled", c.now, Settled{
		State: c.Evidence.state(evidenceSettled), Attempts: attempts, Calls: calls, Elapsed: c.now.Sub(c.AcceptedAt).Seconds(),
	})
	c.Routed, c.SettledAt = true, c.now
	c.before, c.cause = c.state(), "" // as Settled says
	c.Request, c.Recipient = nil, nil
}

// over is when the time was over of what expires now: at the deadline, or at a
// limit before.
func (c *change) over() time.Time { return earlier(c.Deadline, c.now.Round(0).UTC()) }

// giveUp raises the decision that a plan without success ends with.
func (c *change) giveUp() {
	undeliverable := Undeliverable{Reason: UndeliverableUnrenderable}
	for i := range c.Legs {
		leg := &c.Legs[i]
		switch leg.Reason {
		case EndExpired:
			c.raise("expired", c.now, Expired{At: c.over()})
			return
		case EndSuppressed:
			c.raise("suppressed", c.now, Suppressed{Guard: leg.Guard, Reason: leg.GuardReason})
			return
		case EndUnrenderable:
		default:
			undeliverable.Reason, undeliverable.Failure = UndeliverableExhausted, leg.Failure
		}
	}
	c.raise("undeliverable", c.now, undeliverable)
}
