package notify

import (
	"time"
)

// move is what the deliver step has to do next.
type move uint8

const (
	moveDone    move = iota // 5: decided before, or by this change
	movePutBack             // 7: not yet; put the work back until a time
	moveBegin               // 6: choose a provider, render, begin the ordinal
	moveRepeat              // 9: call again, same key and bytes
	moveAsk                 // 10: ask the provider
)

// deliver says what to do for an ordinal of a leg (5 to 10). The change is nil
// when there is nothing to store.
func (d *decider) deliver(r *record, number, ordinal int, now time.Time) (*change, move, time.Time) {
	leg := r.leg(number)
	if leg == nil || leg.State != legOpen || ordinal != leg.current() {
		return nil, moveDone, time.Time{}
	}
	if a := leg.attempt(ordinal); a != nil {
		return d.resume(r, number, ordinal, now)
	}
	arrived := r.arrived(number)
	switch {
	case arrived > 0: // by a report or a late answer, while this one waited
		c := d.change(r, now)
		c.sent(number, arrived)
		return c, moveDone, time.Time{}
	case !now.Before(r.Deadline):
		c := d.change(r, now)
		c.endLeg(number, EndExpired)
		return c, moveDone, time.Time{}
	case !now.Before(leg.budgetEnd(d.budgets.Channel)):
		c := d.change(r, now)
		c.endLeg(number, EndBudget)
		return c, moveDone, time.Time{}
	case leg.NextAt.After(now):
		return nil, movePutBack, leg.NextAt
	}
	return nil, moveBegin, time.Time{}
}

// resume says what to do for an ordinal whose intent is open.
func (d *decider) resume(r *record, number, ordinal int, now time.Time) (*change, move, time.Time) {
	leg := r.leg(number)
	a := leg.attempt(ordinal)
	policy, known := d.policy(leg.Channel, a.Provider)
	switch {
	case d.held(a, now) && (d.keeps(ruleV5) || a.Lease.Owner != d.instance):
		return nil, movePutBack, a.Lease.Until // 7
	case r.hadEffect(number, ordinal):
		c := d.change(r, now)
		c.sent(number, ordinal) // 8
		return c, moveDone, time.Time{}
	case leg.NextAt.After(now):
		return nil, movePutBack, leg.NextAt
	case !known && now.Before(r.Deadline):
		return nil, movePutBack, now.Add(unknownProviderPause)
	case d.mayRepeat(r, a, leg, policy, now):
		return nil, moveRepeat, time.Time{}
	case policy.CanAsk && a.Asks < maxAsks:
		return nil, moveAsk, time.Time{}
	}
	c := d.change(r, now)
	c.inDoubt(number, ordinal, policy, Failure{Verdict: VerdictUncertain, Class: ClassTimeout})
	return c, moveDone, time.Time{}
}

// held tells whether a lease lives: its time is not over, and its owner, as far
// as anybody can tell, has not died.
func (d *decider) held(a *attemptRecord, now time.Time) bool {
	return now.Before(a.Lease.Until) && (d.present == nil || d.present(a.Lease.Owner))
}

// unknownProviderPause is how long work waits for a process that knows its
// provider; maxAsks is how often a provider is asked before it is given up.
const (
	unknownProviderPause = 10 * time.Second
	maxAsks              = 3
)

// mayRepeat tells whether the ordinal may be called again under its key (9).
// The call begins within its lease, so all of that has to be in the window.
func (d *decider) mayRepeat(r *record, a *attemptRecord, leg *legRecord, p providerPolicy, now time.Time) bool {
	calls, first := leg.calls(a.Provider)
	return p.KeyWindow > 0 &&
		now.Add(leaseTime(p)).Before(a.FirstCall.Add(p.KeyWindow)) &&
		calls < p.Attempts && now.Sub(first) < p.Budget &&
		!r.Canceled && now.Before(r.Deadline)
}

// hadEffect tells whether the evidence is that of sent or better.
func (r *record) hadEffect(number, ordinal int) bool {
	switch r.Evidence.rank(number, ordinal) {
	case evidenceSent, evidenceUndelivered, evidenceDelivered, evidenceBounced:
		return true
	default:
		return false
	}
}

// arrived is the leg's last ordinal that was sent and did not come back, 0 if
// there is none.
func (r *record) arrived(number int) int {
	for ordinal := len(r.leg(number).Attempts); ordinal > 0; ordinal-- {
		switch r.Evidence.rank(number, ordinal) {
		case evidenceSent, evidenceDelivered:
			return ordinal
		}
	}
	return 0
}

// delay makes a leg wait because a guard said so.
func (c *change) delay(number int, why Delayed) {
	leg := c.leg(number)
	leg.Delays++
	why.Until = earlier(why.Until, c.Deadline).UTC()
	why.Leg = c.ref(number, 0).Leg
	leg.Held += why.Until.Sub(c.now)
	c.raise(legID(number, "delayed."+itoa(leg.Delays)), c.now, why)
	c.pushLeg(number, why.Until)
}
