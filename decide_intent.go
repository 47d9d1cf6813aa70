package notify

import (
	"time"

	"github.com/seed-6c01d079/notify/internal/e164"
	"github.com/seed-6c01d079/notify/internal/gsm"
)

// leaseTime is how long a call's execution holds its attempt: longer than the
// call may take, so that its answer finds the lease alive.
func leaseTime(p providerPolicy) time.Duration { return p.AttemptTimeout + 10*time.Second }

// begin stores the intent of a new ordinal (6).
func (c *change) begin(number int, p providerPolicy, message *rendered) (ordinal int) {
	leg := c.leg(number)
	previous := c.last(number)
	ordinal = leg.current()
	c.rendered(number, message)
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

// rendered stores what the leg's message is, if it has none.
func (c *change) rendered(number int, message *rendered) {
	leg := c.leg(number)
	if leg.Message != nil {
		return
	}
	leg.Message = message
	if text, ok := message.Message.(SMS); ok {
		leg.Country, leg.Segments = e164.Country(text.To), gsm.Segments(text.Text)
	}
	c.raise(legID(number, "rendered"), c.now, Rendered{
		Leg: c.ref(number, 0).Leg, Template: message.Template, Locale: message.Locale, Bytes: message.Bytes,
	})
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
