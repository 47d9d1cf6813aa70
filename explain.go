package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// Explanation is what would become of a notification if it were sent now.
type Explanation struct {
	// Channels are those that the recipient has an address for.
	Channels []Channel `json:"channels,omitempty"`
	// Plan is what is left of the route, Legs its parts in order, and Rejected
	// what was left out and why. With Undeliverable set there is no plan.
	Plan          Route               `json:"plan,omitzero"`
	Legs          []ExplainedLeg      `json:"legs,omitempty"`
	Rejected      []Rejected          `json:"rejected,omitempty"`
	Undeliverable UndeliverableReason `json:"undeliverable,omitempty"`
	// Suppressed and Delayed are what a guard, or the schedule, would do.
	Suppressed *Suppressed `json:"suppressed,omitempty"`
	Delayed    *Delayed    `json:"delayed,omitempty"`
	// Expired says that its time is over already.
	Expired bool `json:"expired,omitempty"`
}

// ExplainedLeg is a leg of a plan with what would be sent.
type ExplainedLeg struct {
	Leg
	// Providers are tried in order; Down are those whose circuit breaker is
	// open now.
	Providers []string `json:"providers"`
	Down      []string `json:"down,omitempty"`
	// Message is what would be sent, and Problem why it cannot be made.
	Message Message `json:"message,omitempty"`
	Problem string  `json:"problem,omitempty"`
}

// Explain says what would become of a notification, by the code that plans and
// renders, and sends nothing. It asks the directory and the guards, and may be
// called before Run. Its error is what Send's would be, or that of the
// directory or of a guard.
func (n *Notifier) Explain(ctx context.Context, nt Notification) (Explanation, error) {
	var explained Explanation
	r, err := n.prepare(ctx, nt)
	if err != nil {
		return explained, err
	}
	now := time.Now()
	switch {
	case !now.Before(r.Deadline):
		explained.Expired = true
		return explained, nil
	case r.Request.NotBefore.After(now):
		explained.Delayed = &Delayed{Until: r.Request.NotBefore, Reason: DelayScheduled}
	}
	n.mu.Lock()
	planner, pipeline := *n.planner, *n.pipeline
	n.mu.Unlock()
	recipient, err := planner.recipient(ctx, r.Request.To)
	if errors.Is(err, ErrNotFound) {
		explained.Undeliverable = UndeliverableNoRecipient
		return explained, nil
	}
	if err != nil {
		return explained, err
	}
	r.Recipient = &recipient
	verdict, err := pipeline.ask(ctx, guardRequest(r, recipient, now))
	if err != nil {
		return explained, err
	}
	switch verdict.kind {
	case decisionSuppress:
		explained.Suppressed = &Suppressed{Guard: verdict.guard, Reason: verdict.reason}
	case decisionDelay:
		explained.Delayed = &Delayed{Until: verdict.until, Reason: DelayGuard, Guard: verdict.guard, GuardReason: verdict.reason}
	}
	p := planner.plan(r.Request, recipient, verdict.without)
	explained.Plan, explained.Rejected = p.route, p.rejected
	if len(p.legs) == 0 {
		explained.Plan, explained.Undeliverable = Route{}, UndeliverableNoRoute
	}
	explained.Channels = slices.Sorted(maps.Keys(recipient.Addresses))
	for _, leg := range p.legs {
		explained.Legs = append(explained.Legs, pipeline.explain(ctx, r, leg))
	}
	return explained, nil
}

func (p *pipeline) explain(ctx context.Context, r *record, leg Leg) ExplainedLeg {
	explained := ExplainedLeg{Leg: leg}
	for _, s := range p.senders[leg.Channel] {
		explained.Providers = append(explained.Providers, s.policy.Name)
		if s.isOpen() {
			explained.Down = append(explained.Down, s.policy.Name)
		}
	}
	r.Legs = make([]legRecord, leg.Leg)
	r.Legs[leg.Leg-1].Channel = leg.Channel
	message, err := p.render.message(ctx, r, leg.Leg)
	if err != nil {
		explained.Problem = err.Error()
		return explained
	}
	explained.Message = message.Message
	return explained
}
