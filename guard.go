package notify

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Guard may veto or delay a notification: for preferences, quiet hours, send
// limits, suppression lists. It is asked before the plan is made, and again
// before an attempt that was delayed. An error delays the step and asks again,
// so the same request may come several times: one that counts should count by
// NotificationID. It is used by many goroutines at once.
type Guard func(ctx context.Context, req GuardRequest) (Decision, error)

// GuardRequest is what a guard decides on. Its maps are shared: do not change
// them.
type GuardRequest struct {
	NotificationID string
	// Recipient is as the directory resolved it.
	Recipient Recipient
	// Channel is empty when the guard is asked about the notification, and
	// set when it is asked again about one leg.
	Channel Channel
	// Channels are those of the notification's route, each once; when a guard is
	// asked about one leg it is nil.
	Channels []Channel
	Tenant   string
	Category string
	Labels   map[string]string
	Urgent   bool
	Now      time.Time
	// ExpiresAt is when the notification is not worth sending any more: what is
	// delayed to then or later expires.
	ExpiresAt time.Time
}

// Decision is a guard's answer. Its zero value is [Allow].
type Decision struct {
	kind    decisionKind
	reason  string
	until   time.Time
	without []Channel
	guard   string
}

type decisionKind uint8

const (
	decisionAllow decisionKind = iota
	decisionSuppress
	decisionDelay
)

// Allow lets the notification pass.
func Allow() Decision { return Decision{} }

// Suppress ends the notification, or the leg. The reason is the host's own
// word, such as "unsubscribed"; it appears in events, at most 64 bytes of it.
func Suppress(reason string) Decision {
	return Decision{kind: decisionSuppress, reason: clipCode(reason)}
}

// DelayUntil holds the notification, or the leg, until a time; the guards are
// asked again then; a time that is not in the future lets it pass, and one
// after the notification's end holds it until that. The reason is as for
// [Suppress].
func DelayUntil(t time.Time, reason string) Decision {
	return Decision{kind: decisionDelay, until: t, reason: clipCode(reason)}
}

// Without lets the notification pass with these channels left out of its plan.
func Without(channels ...Channel) Decision { return Decision{without: slices.Clone(channels)} }

type namedGuard struct {
	name  string
	guard Guard
}

// Guard registers a guard under a unique name: 1 to 128 bytes of printable
// characters without spaces. Guards are asked in the order of their
// registration, and the first that suppresses or delays decides. Call it
// before Run; its problems come from Ready, Run and Send.
func (n *Notifier) Guard(name string, g Guard) {
	field := fmt.Sprintf("Guard(%q)", name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuseLocked(field) {
		return
	}
	named := validName(name)
	if !named {
		n.problemLocked(field, "the name must have 1 to 128 bytes of printable characters without spaces")
	}
	switch {
	case g == nil:
		n.problemLocked(field, "the guard is nil")
	case !named:
	case slices.ContainsFunc(n.pipeline.guards, func(known namedGuard) bool { return known.name == name }):
		n.problemLocked(field, "there is a guard of that name")
	default:
		n.pipeline.guards = append(slices.Clip(n.pipeline.guards), namedGuard{name, g})
	}
}

// ask asks the guards one after the other.
func (p *pipeline) ask(ctx context.Context, req GuardRequest) (Decision, error) {
	var all Decision
	for _, g := range p.guards {
		var d Decision
		err := safely(func() (err error) {
			d, err = g.guard(ctx, req)
			return err
		})
		if err != nil {
			return d, fmt.Errorf("notify: guard %s: %w", g.name, err)
		}
		if d.kind == decisionSuppress || d.kind == decisionDelay && d.until.After(req.Now) {
			d.guard = g.name
			return d, nil
		}
		all.without = append(all.without, d.without...)
	}
	return all, nil
}

func guardRequest(r *record, recipient Recipient, now time.Time) GuardRequest {
	return GuardRequest{
		NotificationID: r.ID, Recipient: recipient, Tenant: r.Tenant, Category: r.Category,
		Labels: r.Labels, Urgent: r.Urgent, Now: now, ExpiresAt: r.Deadline,
	}
}
