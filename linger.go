package notify

import (
	"fmt"
	"time"
)

// Phase is what a notification, or one leg of it, waits for on its way, and
// must not wait for too long. Unlike a [State] it says nothing about what was
// sent.
type Phase string

// The phases, the first two of a notification without a plan, the others of a
// leg.
const (
	// PhaseAccepted waits for the route step, since Send or the end of what held
	// the notification: a schedule, or a guard.
	PhaseAccepted Phase = "accepted"
	// PhaseHeld waits because a guard delays the notification or the leg. It
	// counts from when that was first due to go on; a schedule does not count.
	PhaseHeld Phase = "held"
	// PhaseRouted waits for its first call, since that was due.
	PhaseRouted Phase = "routed"
	// PhaseRetrying waits for its next attempt, since that was due: those before
	// are over.
	PhaseRetrying Phase = "retrying"
	// PhaseSending is in doubt: a call was begun and nobody knows what came of
	// it. It counts from the end of the call's lease, or from when the record
	// was next due to be looked at.
	PhaseSending Phase = "sending"
	// PhaseSent waits for the provider's report, since it was sent.
	PhaseSent Phase = "sent"
)

// LimitPolicy is what becomes of what stays in a phase beyond its [Limit].
type LimitPolicy string

// The policies.
const (
	// LimitReport raises Stuck and does nothing else.
	LimitReport LimitPolicy = ""
	// LimitExpire ends what has not been sent, as at its expiry: a leg raises
	// Expired, and the plan goes on as after any failure. An earlier attempt of
	// the leg that may have been sent makes it in doubt instead.
	LimitExpire LimitPolicy = "expire"
	// LimitUnknown ends an attempt that may have been sent: it raises Unknown.
	// The plan goes on only with [Route.OnDoubt]. What is known to be sent ends
	// as sent. Later answers and reports correct it.
	LimitUnknown LimitPolicy = "unknown"
)

// Limit is how long a phase may last.
type Limit struct {
	// After is from 1 min to 400 days; zero is the default, negative no limit.
	After time.Duration
	// Then is what happens at the limit, after [Stuck] was raised.
	Then LimitPolicy
}

// Limits are the limit of each [Phase].
type Limits struct {
	// Accepted is 2 h by default. It reports or, after at least 1 h, expires: a
	// notification is left that long to a process that knows its channels.
	Accepted Limit
	// Held is 7 days by default. It reports or expires.
	Held Limit
	// Routed and Retrying are 1 h longer than [Budgets.Channel] by default. They
	// report or, after no less than that budget, expire.
	Routed, Retrying Limit
	// Sending is 1 h longer than [Budgets.Channel] by default, and no shorter
	// than the longest call of a provider here ([ProviderConfig.AttemptTimeout]
	// and 10 s). It reports or ends as unknown.
	Sending Limit
	// Sent is 96 h by default. It only reports: the receipt window ends it.
	Sent Limit
}

// Linger bounds how long notifications may stay in a phase: past its limit the
// sweep raises [Stuck], once each time that the phase is entered, and ends it if
// the policy says so. Package handlers/settle has the defaults that most hosts
// want. With limits, only they raise Stuck: it is no longer raised after several
// sweeps in vain. It needs records.
//
// Give all processes the same limits: the process that writes a record sets when
// it is looked at next, and the process with [Roles] Route that sweeps it
// decides what happens. Limits that change take effect when a record is written
// or looked at next: within half an hour for what should move on, else when its
// hold or its receipt window is over. Call it once, before Run; its problems
// come from Ready, Run and Send.
func (n *Notifier) Linger(limits Limits) {
	n.mu.Lock()
	defer n.mu.Unlock()
	const field = "Linger"
	switch {
	case n.refuseLocked(field):
		return
	case n.ledger.carried != nil:
		n.addLocked(&FieldError{Field: field, Problem: "need records, and Config.Records is NoRecords", Err: errNoRecords})
		return
	case n.decider.limited() != nil:
		n.problemLocked(field, "the limits are set already: call it, or attach settle.New, once")
		return
	}
	for _, err := range limits.complete(n.config.Budgets) {
		n.addLocked(err)
	}
	byPhase := limits.byPhase()
	n.decider.limits.Store(&byPhase)
}

// checkLimitsLocked checks the limits against the providers, which are all
// registered by now.
func (n *Notifier) checkLimitsLocked() {
	limit := n.decider.limited()[PhaseSending]
	for _, s := range n.sendersLocked() {
		if least := leaseTime(s.policy); limit.After > 0 && limit.After < least {
			n.problemLocked("Limits.Sending.After", fmt.Sprintf("must be at least %s, the longest call of %s", least, s.policy.Name))
		}
	}
}

// The bounds of a limit: the sweep has brought back what is overdue by then.
const (
	leastLimit = 2 * sweepGrace
	mostLimit  = 400 * 24 * time.Hour
)

// complete gives what is zero its default, and returns the problems.
func (l *Limits) complete(budgets Budgets) problems {
	var found problems
	channel := budgets.Channel + time.Hour
	for _, one := range []struct {
		field    string
		limit    *Limit
		standard time.Duration
		ends     LimitPolicy   // the one it may have besides LimitReport
		least    time.Duration // with that
	}{
		{"Accepted", &l.Accepted, 2 * time.Hour, LimitExpire, strangerPatience},
		{"Held", &l.Held, 7 * 24 * time.Hour, LimitExpire, leastLimit},
		{"Routed", &l.Routed, channel, LimitExpire, budgets.Channel},
		{"Retrying", &l.Retrying, channel, LimitExpire, budgets.Channel},
		{"Sending", &l.Sending, channel, LimitUnknown, leastLimit},
		{"Sent", &l.Sent, 96 * time.Hour, LimitReport, leastLimit},
	} {
		field := "Limits." + one.field
		one.limit.After = orDefault(one.limit.After, one.standard)
		after, then := one.limit.After, one.limit.Then
		switch {
		case after > 0 && after < leastLimit || after > mostLimit:
			found.add(field+".After", "must be negative (no limit), 0 (the default, %s) or from %s to %s", one.standard, leastLimit, mostLimit)
		case after > 0 && then != LimitReport && after < one.least:
			found.add(field+".After", "must be at least %s with the policy %q: until then the pipeline goes on by itself", one.least, then)
		}
		switch then {
		case LimitReport, one.ends:
		case LimitExpire:
			found.add(field+".Then", "cannot be %q: it may have been sent", then)
		case LimitUnknown:
			found.add(field+".Then", "cannot be %q: %s", then, whyKnown(one.ends))
		default:
			found.add(field+".Then", "must be one of the LimitPolicy constants")
		}
	}
	return found
}

// whyKnown says why a phase that may end otherwise, or not at all, cannot end as
// unknown.
func whyKnown(ends LimitPolicy) string {
	if ends == LimitExpire {
		return "nothing was sent"
	}
	return "it is known to be sent"
}

func (l *Limits) byPhase() phaseLimits {
	return phaseLimits{
		PhaseAccepted: l.Accepted, PhaseHeld: l.Held, PhaseRouted: l.Routed, PhaseRetrying: l.Retrying,
		PhaseSending: l.Sending, PhaseSent: l.Sent,
	}
}
