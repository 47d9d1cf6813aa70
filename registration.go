package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// use adds a provider.
func (n *Notifier) use(field string, s *sender) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuseLocked(field) {
		return
	}
	for _, known := range n.sendersLocked() {
		if known.policy.Name == s.policy.Name {
			n.problemLocked(field, "there is a provider of that name")
			return
		}
	}
	n.pipeline.senders = withEntry(n.pipeline.senders, s.channel, append(slices.Clip(n.pipeline.senders[s.channel]), s))
	n.decider.policies = withEntry(n.decider.policies, s.channel, append(slices.Clip(n.decider.policies[s.channel]), s.policy))
	n.planner.usable = withEntry(n.planner.usable, s.channel, true)
	if n.config.Roles.Route {
		n.validation.channels = n.planner.usable
	}
}

// senders returns the providers, ordered by channel and by registration.
func (n *Notifier) senders() []*sender {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sendersLocked()
}

func (n *Notifier) sendersLocked() []*sender {
	var channels []Channel
	for c := range n.pipeline.senders {
		channels = append(channels, c)
	}
	slices.Sort(channels)
	var all []*sender
	for _, c := range channels {
		all = append(all, n.pipeline.senders[c]...)
	}
	return all
}

// Observe registers an observer. It may be called at any time before Close;
// what it finds wrong is reported by Ready, Run and Send, or while running by
// Ready and the log.
func (n *Notifier) Observe(o Observer) {
	n.mu.Lock()
	over := n.state > running
	n.mu.Unlock()
	if over {
		n.refuse(problems{&FieldError{Field: fmt.Sprintf("Observer(%q)", o.Name), Problem: "is registered after Close", Err: ErrClosed}})
		return
	}
	n.refuse(n.bus.observe(o))
}

// Attach registers ready-made observers; the Notifier also runs the work of
// those that are a [Worker].
func (n *Notifier) Attach(all ...Attacher) {
	for i, a := range all {
		if isNil(a) {
			n.problem(fmt.Sprintf("Attach[%d]", i), "is nil")
			continue
		}
		switch err := a.Attach(n); {
		case err == nil:
			if w, works := a.(Worker); works {
				n.workers.add(w)
			}
		case len(FieldErrors(err)) > 0:
			n.refuse(problems{err}) // its fields say whose they are
		default:
			n.problemErr(fmt.Sprintf("Attach(%T)", a), err)
		}
	}
}

// Detach removes an observer for good: it handles nothing more, and the
// backend forgets its position. It waits for the handlers that run. On Kafka it
// is an error until the observer's other processes have detached it too, since a
// group with members cannot be forgotten; it may be called again.
func (n *Notifier) Detach(ctx context.Context, name string) error {
	return n.bus.detach(ctx, name)
}

func (n *Notifier) problem(field, text string) {
	n.refuse(problems{&FieldError{Field: field, Problem: text}})
}

func (n *Notifier) problemErr(field string, err error) {
	n.refuse(within(field, err))
}

func (n *Notifier) refuse(found problems) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, err := range found {
		n.addLocked(err)
	}
}

func (n *Notifier) problemLocked(field, text string) {
	n.addLocked(&FieldError{Field: field, Problem: text})
}

func (n *Notifier) addLocked(err error) {
	if n.state == created {
		n.problems = append(n.problems, err)
		return
	}
	if len(n.late) < maxLate {
		n.late = append(n.late, err)
	} else {
		n.lateMore++
	}
	n.log.Error("notify: a registration was refused", "error", err)
}

// maxLate bounds the problems of registrations while running that Ready tells:
// a program may go on registering what is refused for as long as it runs.
const maxLate = 100

// lateLocked are the problems of registrations while running.
func (n *Notifier) lateLocked() error {
	if n.lateMore == 0 {
		return n.late.err()
	}
	return errors.Join(n.late.err(), fmt.Errorf("notify: %d more registrations were refused, see the log", n.lateMore))
}

// refuseLocked refuses what has to be registered before Run.
func (n *Notifier) refuseLocked(field string) bool {
	if n.state == created {
		return false
	}
	n.problemLocked(field, "must be registered before Run")
	return true
}
