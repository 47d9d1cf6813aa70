package notify

import "time"

// sent ends an ordinal that had its effect: of a provider that reports, the
// leg waits for the report, unless that came before.
func (c *change) sent(number, ordinal int) {
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
		window := c.receiptWindow(number, ordinal)
		if window == 0 || c.Canceled {
			c.endLeg(number, "")
			return
		}
		leg.State, leg.NextAt, leg.Message = legReceipt, c.now.Add(window), nil
	}
}

// receiptWindow is how long the provider's report is waited for; 0: it has none.
// Of a provider that only other processes know, what these wrote down says so.
func (c *change) receiptWindow(number, ordinal int) time.Duration {
	p, known := c.d.policy(c.leg(number).Channel, c.leg(number).attempt(ordinal).Provider)
	if !known {
		p.Receipts, p.ReceiptWindow = !c.saidFinal(number, ordinal), providerDefaults().ReceiptWindow
	}
	if !p.Receipts {
		return 0
	}
	return p.ReceiptWindow
}

// saidFinal tells whether the provider reports nothing further, as who knew it said.
func (c *change) saidFinal(number, ordinal int) bool {
	for i := range c.Outbox {
		if e := c.Outbox[i].event; e != nil {
			if sent, ok := e.data.(Sent); ok && sent.Leg.Leg == number && sent.Attempt.Attempt == ordinal {
				return sent.Final
			}
		}
	}
	return false
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
