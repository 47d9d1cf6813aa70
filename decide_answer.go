package notify

import "time"

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
		c.sent(number, ordinal)
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
	leg := c.leg(number)
	if !validCountry(receipt.Country) {
		receipt.Country = leg.Country
	}
	if receipt.Segments <= 0 {
		receipt.Segments = leg.Segments
	}
	c.raise(attemptID(number, ordinal, "sent"), c.now, Sent{
		Attempt: c.ref(number, ordinal), MessageID: receipt.MessageID, Code: clipCode(receipt.Code), Cost: receipt.Cost,
		Country: receipt.Country, Segments: receipt.Segments, Final: !p.Receipts,
	})
}

// validCountry tells whether it looks like a code of ISO 3166-1 alpha-2.
func validCountry(code string) bool {
	return len(code) == 2 && code[0] >= 'A' && code[0] <= 'Z' && code[1] >= 'A' && code[1] <= 'Z'
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

// asked stores the provider's word about an ordinal in doubt (10). found is
// nil if it knows of none, which proves nothing here: the epoch that was not
// answered may yet arrive.
func (d *decider) asked(r *record, number, ordinal int, found *Receipt, pause time.Duration, now time.Time) *change {
	leg := r.leg(number)
	a := leg.attempt(ordinal)
	if a.Over || d.held(a, now) {
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
		c.sent(number, ordinal)
	case a.Asks < maxAsks:
		c.pushLeg(number, now.Add(pause))
	default:
		c.inDoubt(number, ordinal, policy, Failure{Verdict: VerdictUncertain, Class: ClassTimeout})
	}
	return c
}
