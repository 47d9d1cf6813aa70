package notify

import (
	"context"
	"slices"
	"time"
)

// choice is the provider that gets the next call of a leg. Without one, reason
// says that the leg is over, or until when to choose again.
type choice struct {
	sender *sender
	busy   bool        // the sender has no slot free: wait for one, and choose again
	done   func(error) // how the call's outcome reaches the circuit breaker
	until  time.Time
	reason EndReason
}

// choose takes the first provider of the leg's channel whose turn is not over,
// whose circuit breaker is closed and which asked for no pause. If only circuit
// breakers are in the way, and the plan goes on elsewhere, the leg is over: a
// service that asked for a pause is not down.
func (p *pipeline) choose(r *record, number, ordinal int, in *slot, now time.Time) choice {
	leg, key := r.leg(number), r.attemptKey(number, ordinal)
	var until time.Time // zero: every turn is over
	down := true
	for _, s := range p.senders[leg.Channel] {
		if leg.Out[s.policy.Name] != "" {
			continue
		}
		done, at, why := s.turn(key, in, now)
		switch {
		case done != nil:
			return choice{sender: s, done: done}
		case why == rateLimited:
			return choice{until: at}
		case why == allBusy:
			return choice{sender: s, busy: true}
		}
		down = down && why == breakerOpen
		until = earlier(until, at)
	}
	switch {
	case until.IsZero():
		return choice{reason: EndExhausted}
	case down && r.otherLegs(number):
		return choice{reason: EndUnavailable}
	}
	return choice{until: until}
}

func (p *pipeline) sender(c Channel, provider string) *sender {
	for _, s := range p.senders[c] {
		if s.policy.Name == provider {
			return s
		}
	}
	return nil
}

// otherLegs tells whether the plan goes on elsewhere if the leg fails now.
func (r *record) otherLegs(number int) bool {
	if len(r.leg(number).Attempts) > 0 {
		return false
	}
	legs := append([]legRecord(nil), r.Legs...)
	legs[number-1].State, legs[number-1].Reason = legEnded, EndUnavailable
	_, starts := r.Plan.next(legs)
	return len(starts) > 0
}

// askAgain asks the guards again before an attempt that was delayed. It tells
// whether the change now delays or ends the leg.
func (p *pipeline) askAgain(ctx context.Context, c *change, number int) (bool, error) {
	leg := c.leg(number)
	if len(p.guards) == 0 || !leg.NextAt.After(leg.StartedAt) || c.Recipient == nil {
		return false, nil
	}
	request := guardRequest(c.record, *c.Recipient, c.now)
	request.Channel = leg.Channel
	verdict, err := p.ask(ctx, request)
	if slices.Contains(verdict.without, leg.Channel) {
		verdict = Suppress("channel")
	}
	switch {
	case err != nil:
		return false, err
	case verdict.kind == decisionSuppress:
		leg.Guard, leg.GuardReason = verdict.guard, verdict.reason
		c.endLeg(number, EndSuppressed)
		return true, nil
	case verdict.kind == decisionDelay && verdict.until.After(c.now):
		c.delay(number, Delayed{Until: verdict.until, Reason: DelayGuard, Guard: verdict.guard, GuardReason: verdict.reason})
		return true, nil
	}
	return false, nil
}
