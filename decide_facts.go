package notify

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// reported is a provider's later word about an attempt.
type reported struct {
	leg, ordinal int
	// suffix is the end of the event's ID, for engagement without the digest of
	// its content; data is the event.
	suffix string
	at     time.Time
	data   any
	// hard says that the address does not exist.
	hard bool
}

// report stores a provider's word (16). In the receipt window it ends the leg;
// on an open intent it does nothing more, since the write of the outcome looks
// at all evidence.
func (d *decider) report(r *record, rep reported, now time.Time) *change {
	if r.knows(rep) {
		return nil
	}
	c := d.change(r, now)
	c.raise(rep.fullSuffix(now), rep.at, rep.data)
	leg := c.leg(rep.leg)
	if rep.hard {
		c.raise(rep.suffix+".address_invalid", now, AddressInvalid{
			Attempt: c.ref(rep.leg, rep.ordinal), AddressHash: leg.AddressHash,
		})
	}
	if !c.endsBy(leg, rep.ordinal) {
		return c
	}
	switch rep.data.(type) {
	case Delivered:
		c.endLeg(rep.leg, "")
	case Undelivered:
		c.endLeg(rep.leg, EndUndelivered)
	case Bounced:
		c.endLeg(rep.leg, EndBounced)
	}
	return c
}

// knows tells whether the report was stored before.
func (r *record) knows(rep reported) bool {
	if evidence, ok := evidenceOf(&Envelope{}, rep.data); ok {
		return r.Evidence.has(rep.leg, rep.ordinal, evidence.Kind)
	}
	id := r.eventID(rep.suffix) + "."
	for i := range r.Outbox {
		if e := r.Outbox[i].event; e != nil && strings.HasPrefix(e.id, id) {
			return true
		}
	}
	return false
}

// fullSuffix is the end of the event's ID. Engagement that comes again after
// the record's history was trimmed is not known any more, and may come with
// another time: so its ID follows from its content.
func (rep *reported) fullSuffix(seen time.Time) string {
	if _, ok := evidenceOf(&Envelope{}, rep.data); ok {
		return rep.suffix
	}
	content, _ := json.Marshal([]any{rep.at.UTC(), seen.UTC(), rep.data}) // an event of ours always has a form
	sum := sha256.Sum256(content)
	return rep.suffix + "." + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// endsBy tells whether a report about the ordinal may end the leg.
func (c *change) endsBy(leg *legRecord, ordinal int) bool {
	if ordinal != len(leg.Attempts) {
		return false
	}
	if !c.d.keeps(ruleV10) && leg.State == legOpen {
		leg.attempt(ordinal).Over = true
		return true
	}
	if !c.d.keeps(ruleV12) && c.settled() && leg.State == legEnded {
		leg.State = legReceipt
	}
	return leg.State == legReceipt
}

// cancel marks the record (19). It returns the change, nil if it was canceled
// before, and whether the answer is canceled rather than pending. Who asks again
// after it has settled hears the same, if canceling was what ended it.
func (d *decider) cancel(r *record, now time.Time) (c *change, canceled bool, err error) {
	if r.settled() {
		if !r.Canceled || r.inDoubt() || r.overtook() {
			return nil, false, ErrTooLate
		}
		return nil, true, nil
	}
	canceled = !d.keeps(ruleV6) || !r.inDoubt()
	if r.Canceled {
		return nil, canceled && !r.overtook(), nil
	}
	c = d.change(r, now)
	c.announce()
	c.Canceled = true
	if c.Request == nil {
		return c, canceled, nil // a tombstone: the route step settles it
	}
	c.raise("canceled", now, Canceled{InDoubt: r.inDoubt()})
	for i := range c.Legs {
		leg := &c.Legs[i]
		for j := range leg.Attempts {
			leg.Attempts[j].Canceled = leg.Attempts[j].unanswered()
		}
		switch {
		case leg.State == legReceipt:
			c.endLeg(i+1, "")
		case leg.State == legOpen && leg.attempt(leg.current()) == nil:
			c.endLeg(i+1, EndCanceled)
		}
	}
	c.advance(0)
	return c, canceled, nil
}

// overtook tells whether a call that was unanswered when the notification was
// canceled had its effect.
func (r *record) overtook() bool {
	for i := range r.Legs {
		for j := range r.Legs[i].Attempts {
			if r.Legs[i].Attempts[j].Canceled && r.hadEffect(i+1, j+1) {
				return true
			}
		}
	}
	return false
}

// inDoubt tells whether a granted epoch has not been answered.
func (r *record) inDoubt() bool {
	for i := range r.Legs {
		for j := range r.Legs[i].Attempts {
			if r.Legs[i].Attempts[j].unanswered() {
				return true
			}
		}
	}
	return false
}

// sweepGrace is how long after its time something is overdue. It doubles with
// every sweep that brought no progress, up to 64 times as long.
const sweepGrace = 30 * time.Second

// stuckSweeps is how many sweeps without progress make a notification stuck.
const stuckSweeps = 5

// sweep brings back what is overdue (20), after what was unpublished.
func (d *decider) sweep(r *record, now time.Time) *change {
	due := r.overdue(d.grace())
	overdue := !due.IsZero() && !now.Before(due)
	left := !r.SweepAt.IsZero() && !now.Before(r.SweepAt)
	if r.settled() || !overdue && !left {
		return nil
	}
	c := d.change(r, now)
	c.Sweeps = r.Sweeps
	if left {
		c.SweepAt = r.nextMove(now)
	}
	if overdue {
		c.Sweeps++
	}
	if overdue && c.Sweeps == stuckSweeps {
		c.raise("stuck."+itoa(int(c.Seq)), now, Stuck{State: c.state(), Since: r.lastMoved()})
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
		case leg.State == legOpen && !leg.dueAt().After(now):
			c.push(work{Leg: i + 1, Ordinal: leg.current(), Topic: deliverTopic(leg.Channel, c.Urgent)}, now)
		}
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
	return earlier(due, r.SweepAt)
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

// dueAt is when the leg's next move is due: never while a lease lives.
func (l *legRecord) dueAt() time.Time {
	if a := l.attempt(l.current()); a != nil {
		return later(l.NextAt, a.Lease.Until)
	}
	return l.NextAt
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

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier is the earlier of two times, of which a zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
