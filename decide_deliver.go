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
		policy, _ := d.policy(leg.Channel, leg.attempt(arrived).Provider)
		c.sent(number, arrived, policy)
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
	case now.Before(a.Lease.Until) && (d.keeps(ruleV5) || a.Lease.Owner != d.instance):
		return nil, movePutBack, a.Lease.Until // 7
	case r.hadEffect(number, ordinal):
		c := d.change(r, now)
		c.sent(number, ordinal, policy) // 8
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

// leaseTime is how long a call's execution holds its attempt: longer than the
// call may take, so that its answer finds the lease alive.
func leaseTime(p providerPolicy) time.Duration { return p.AttemptTimeout + 10*time.Second }

// begin stores the intent of a new ordinal (6).
func (c *change) begin(number int, p providerPolicy, message *rendered) (ordinal int) {
	leg := c.leg(number)
	previous := c.last(number)
	ordinal = leg.current()
	if leg.Message == nil {
		leg.Message = message
		c.raise(legID(number, "rendered"), c.now, Rendered{
			Leg: c.ref(number, 0).Leg, Template: message.Template, Locale: message.Locale, Bytes: message.Bytes,
		})
	}
	leg.Attempts = append(leg.Attempts, attemptRecord{
		Provider: p.Name, Key: c.attemptKey(number, ordinal), FirstCall: c.now, Held: leg.Held,
	})
	if from, reason, ok := c.turnOver(number, p, previous); ok {
		c.raise(attemptID(number, ordinal, "failed_over"), c.now, FailedOver{
			From: from, To: c.ref(number, ordinal), Reason: reason, Failure: leg.Failure,
		})
	}
	c.grant(number, ordinal, p)
	return ordinal
}

// turnOver tells which attempt's provider the new one takes over from.
func (c *change) turnOver(number int, p providerPolicy, previous Attempt) (Attempt, EndReason, bool) {
	if previous.Attempt > 0 && previous.Provider != p.Name {
		reason := c.leg(number).Out[previous.Provider]
		if reason == "" {
			reason = EndUnavailable
		}
		return previous, reason, true
	}
	first := c.d.policies[c.leg(number).Channel][0].Name
	if previous.Attempt == 0 && first != p.Name {
		previous.Provider = first
		return previous, EndUnavailable, true
	}
	return Attempt{}, "", false
}

// grant gives an execution the right to one call of the ordinal (6, 9).
func (c *change) grant(number, ordinal int, p providerPolicy) (epoch int) {
	a := c.leg(number).attempt(ordinal)
	a.Granted++
	a.Lease = lease{Owner: c.d.instance, Until: c.now.Add(leaseTime(p))}
	c.raise(attemptID(number, ordinal, "sending."+itoa(a.Granted)), c.now, Sending{
		Attempt: c.ref(number, ordinal), Call: a.Granted,
	})
	return a.Granted
}

// answer is what came of a call. A nil err is the provider's receipt.
type answer struct {
	epoch   int
	receipt Receipt
	err     *SendError
	pause   time.Duration // before the next call, if there is one
}

// answer stores what came of a call, and decides on it (11 to 15). again says
// that the intent is still open, so the work has to come back at that time.
func (d *decider) answer(r *record, number, ordinal int, ans answer, now time.Time) (c *change, again bool, at time.Time) {
	c = d.change(r, now)
	leg := c.leg(number)
	a := leg.attempt(ordinal)
	policy, _ := d.policy(leg.Channel, a.Provider)
	c.note(number, ordinal, ans, policy)
	newest := ans.epoch == a.Granted
	if d.keeps(ruleV3) && (a.Over || !newest) {
		return c, !a.Over, a.Lease.Until // 12
	}
	if a.Over || newest && a.Lease.Until.IsZero() {
		return c, false, time.Time{} // decided before, by a write whose success was not seen
	}
	a.Lease.Until = time.Time{}
	failure := failureOf(ans.err)
	switch {
	case ans.err == nil || d.keeps(ruleV4) && c.hadEffect(number, ordinal): // 13
		c.sent(number, ordinal, policy)
	case ans.err.Verdict != VerdictUncertain && d.isRefused(a, ans.err, policy): // 14
		leg.Failure = failure
		c.refused(number, ordinal, policy, ans)
	case ans.err.Verdict != VerdictPermanent: // 15
		leg.Failure = failure
		c.again(number, ordinal, policy, ans)
	default:
		c.inDoubt(number, ordinal, policy, failure)
	}
	return c, false, time.Time{}
}

// note marks the answer's epoch, and stores what it proves (11).
func (c *change) note(number, ordinal int, ans answer, p providerPolicy) {
	a := c.leg(number).attempt(ordinal)
	switch {
	case ans.err == nil:
		a.Answered = with(a.Answered, ans.epoch)
		c.took(number, ordinal, ans.receipt, p)
	case ans.err.Verdict == VerdictUncertain:
		a.Lost = true
	default:
		a.Answered = with(a.Answered, ans.epoch)
		a.Refused = with(a.Refused, ans.epoch)
	}
}

// maxMessageID bounds what is kept of a provider's name for a message.
const maxMessageID = 1024

// took stores the fact that the provider has the message.
func (c *change) took(number, ordinal int, receipt Receipt, p providerPolicy) {
	a := c.leg(number).attempt(ordinal)
	receipt.MessageID = clip(receipt.MessageID, maxMessageID)
	receipt.Cost.Currency = clipCode(receipt.Cost.Currency)
	if id := receipt.MessageID; id != "" {
		a.MessageIDs = with(a.MessageIDs, id)
		c.Aliases = with(c.Aliases, messageAlias(a.Provider, id))
	}
	if c.Evidence.has(number, ordinal, evidenceSent) {
		return
	}
	c.raise(attemptID(number, ordinal, "sent"), c.now, Sent{
		Attempt: c.ref(number, ordinal), MessageID: receipt.MessageID,
		Code: clipCode(receipt.Code), Cost: receipt.Cost, Final: !p.Receipts,
	})
}

// isRefused tells whether the ordinal has definitely not had its effect (14).
func (d *decider) isRefused(a *attemptRecord, err *SendError, p providerPolicy) bool {
	if a.allRefused() {
		return true
	}
	if err.Verdict == VerdictPermanent {
		return p.ReplaysFailures || !d.keeps(ruleV2)
	}
	return !d.keeps(ruleV1)
}

// sent ends an ordinal that had its effect: of a provider that reports, the
// leg waits for the report, unless that came before.
func (c *change) sent(number, ordinal int, p providerPolicy) {
	leg := c.leg(number)
	leg.attempt(ordinal).Over = true
	leg.attempt(ordinal).Lease = lease{}
	switch c.Evidence.rank(number, ordinal) {
	case evidenceDelivered:
		c.endLeg(number, "")
	case evidenceBounced:
		c.endLeg(number, EndBounced)
	case evidenceUndelivered:
		c.endLeg(number, EndUndelivered)
	default:
		if !p.Receipts || c.Canceled {
			c.endLeg(number, "")
			return
		}
		leg.State, leg.NextAt, leg.Message = legReceipt, c.now.Add(p.ReceiptWindow), nil
	}
}

// refused ends an ordinal without effect: the next ordinal, or the leg's
// end.
func (c *change) refused(number, ordinal int, p providerPolicy, ans answer) {
	leg := c.leg(number)
	a := leg.attempt(ordinal)
	a.Over, a.Lease = true, lease{}
	if ans.err.Verdict == VerdictPermanent && ans.err.Class == ClassAddress {
		c.raise(attemptID(number, ordinal, "address_invalid"), c.now, AddressInvalid{
			Attempt: c.ref(number, ordinal), AddressHash: leg.AddressHash, Code: leg.Failure.Code,
		})
	}
	switch {
	case c.Canceled:
		c.endLeg(number, EndCanceled)
	case ans.err.Verdict == VerdictPermanent && ans.err.Class.aboutMessage():
		c.endLeg(number, EndRejected)
	case ans.err.Verdict == VerdictPermanent:
		c.turn(number, p.Name, EndRejected)
	default:
		c.retry(number, ordinal, p, ans)
	}
}

// retry goes on with the same provider under a new key, if its attempts and
// all the budgets allow.
func (c *change) retry(number, ordinal int, p providerPolicy, ans answer) {
	leg := c.leg(number)
	calls, first := leg.calls(p.Name)
	next := c.now.Add(ans.pause)
	switch {
	case calls >= p.Attempts:
		c.turn(number, p.Name, EndExhausted)
	case next.Sub(first) > p.Budget, !next.Before(leg.budgetEnd(c.d.budgets.Channel)), !next.Before(c.Deadline):
		c.turn(number, p.Name, EndBudget)
	default:
		c.retrying(number, ordinal, ans, next, false)
		c.pushLeg(number, next)
	}
}

func (c *change) retrying(number, ordinal int, ans answer, next time.Time, same bool) {
	kind := "retrying"
	if c.d.keeps(ruleV11) {
		kind += "." + itoa(ans.epoch)
	}
	c.raise(attemptID(number, ordinal, kind), c.now, Retrying{
		Attempt: c.ref(number, ordinal), Failure: failureOf(ans.err), Call: ans.epoch, SameAttempt: same, NextAt: next,
	})
}

// turn ends a provider's turn: the next provider of the channel takes over, or
// the leg ends.
func (c *change) turn(number int, provider string, reason EndReason) {
	leg := c.leg(number)
	leg.Out = withEntry(leg.Out, provider, reason)
	for _, p := range c.d.policies[leg.Channel] {
		if leg.Out[p.Name] == "" {
			c.pushLeg(number, c.now)
			return
		}
	}
	c.endLeg(number, reason)
}

// again keeps an ordinal in doubt open: it is repeated, or asked about, after
// a pause (15); or nothing of that can be done.
func (c *change) again(number, ordinal int, p providerPolicy, ans answer) {
	leg := c.leg(number)
	a := leg.attempt(ordinal)
	next := c.now.Add(ans.pause)
	switch {
	case c.d.mayRepeat(c.record, a, leg, p, next):
		c.retrying(number, ordinal, ans, next, true)
		c.pushLeg(number, next)
	case p.CanAsk && a.Asks < maxAsks:
		c.pushLeg(number, next)
	default:
		c.inDoubt(number, ordinal, p, failureOf(ans.err))
	}
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

// asked stores the provider's word about an ordinal in doubt (10). found is
// nil if it knows of none, which proves nothing here: the epoch that was not
// answered may yet arrive.
func (d *decider) asked(r *record, number, ordinal int, found *Receipt, pause time.Duration, now time.Time) *change {
	leg := r.leg(number)
	a := leg.attempt(ordinal)
	if a.Over || now.Before(a.Lease.Until) {
		return nil
	}
	c := d.change(r, now)
	leg = c.leg(number)
	a = leg.attempt(ordinal)
	policy, _ := d.policy(leg.Channel, a.Provider)
	a.Asks++
	switch {
	case found != nil:
		c.took(number, ordinal, *found, policy)
		c.sent(number, ordinal, policy)
	case a.Asks < maxAsks:
		c.pushLeg(number, now.Add(pause))
	default:
		c.inDoubt(number, ordinal, policy, Failure{Verdict: VerdictUncertain, Class: ClassTimeout})
	}
	return c
}

// inDoubt ends an ordinal of which nobody can tell whether it had its effect.
func (c *change) inDoubt(number, ordinal int, p providerPolicy, failure Failure) {
	leg := c.leg(number)
	a := leg.attempt(ordinal)
	a.Over, a.Lease = true, lease{}
	c.raise(attemptID(number, ordinal, "unknown"), c.now, Unknown{Attempt: c.ref(number, ordinal), Failure: failure})
	calls, _ := leg.calls(p.Name)
	if p.ResendInDoubt && calls < p.Attempts && !c.Canceled && c.now.Before(c.Deadline) {
		c.pushLeg(number, c.now)
		return
	}
	c.endLeg(number, EndInDoubt)
}
