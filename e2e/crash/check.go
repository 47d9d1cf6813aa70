package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Verdict is what the checks found. All but Unknown are violations.
type Verdict struct {
	Accepted, Settled, Unknown, Stopped, Effects, Events int

	Lost      []string // accepted, and did not settle; or ended otherwise than it went
	Doubled   []string // sent again while an earlier call may have had its effect
	Missed    []string // events that an observer did not see
	Disorder  []string // events that came in another order than they were decided in
	Canceled  []string // sent after the answer canceled
	Baseless  []string // Unknown, although the answer was known or the call under way
	Unrelated []string // two IDs for one idempotency key, or one for two notifications
	Changed   []string // another content under the same ID or key
	Unheard   []string // what a service reported and nobody was told of
	Ghosts    []string // events that the record does not know
	Empty     []string // nothing was accepted, so nothing is shown
}

// sound tells whether nothing was violated.
func (v *Verdict) sound() bool { return len(v.violations()) == 0 }

func (v *Verdict) violations() []string {
	return slices.Concat(v.Lost, v.Doubled, v.Missed, v.Disorder, v.Canceled, v.Baseless, v.Unrelated, v.Changed, v.Unheard, v.Ghosts, v.Empty)
}

// check compares what happened with what is promised.
func (l *Ledger) check() *Verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := &Verdict{Accepted: len(l.Accepted), Stopped: len(l.Canceled)}
	l.checkCalls(v)
	l.checkEnds(v)
	l.checkEvents(v)
	l.checkUnknown(v)
	l.checkReports(v)
	if len(l.Accepted) == 0 {
		v.Empty = []string{"nothing was accepted"}
	}
	v.Unrelated, v.Changed = slices.Clone(l.Shared), append(v.Changed, l.Changed...)
	for _, s := range l.Sends {
		for _, id := range s.IDs {
			if id != s.IDs[0] {
				v.Unrelated = append(v.Unrelated, fmt.Sprintf("the key %s has the IDs %s and %s", s.Spec.Key, s.IDs[0], id))
			}
		}
	}
	return v
}

// checkCalls looks at each call in the light of those before it.
func (l *Ledger) checkCalls(v *Verdict) {
	byNotification := map[string][]*Call{}
	for _, c := range l.Calls {
		if c.Effect {
			v.Effects++
		}
		if at, ok := l.Canceled[c.Notification]; ok && c.Began.After(at) {
			v.Canceled = append(v.Canceled, fmt.Sprintf("%s called %s after its cancel was answered", c.leg(), c.Service))
		}
		for _, p := range byNotification[c.Notification] {
			if p.Key == c.Key && p.Digest != c.Digest {
				v.Changed = append(v.Changed, fmt.Sprintf("%s called %s with another message under the key %s", c.leg(), c.Service, c.Key))
				break
			}
			if problem := l.checkPair(p, c); problem != "" {
				v.Doubled = append(v.Doubled, fmt.Sprintf("%s called %s (%s): %s", c.leg(), c.Service, c.Key, problem))
				break
			}
		}
		byNotification[c.Notification] = append(byNotification[c.Notification], c)
	}
}

// checkPair says what is wrong with a call after an earlier one of its
// notification, if anything is.
func (l *Ledger) checkPair(p, c *Call) string {
	switch {
	case p.Leg != c.Leg:
		// That a call never arrived is not known to who made it.
		if l.specOf(c.Category).inOrder() && p.Leg < c.Leg && !p.Fortune.definite() && l.Reported[p.Key]["bounced"] == "" {
			return "the leg before it may have had its effect"
		}
	case p.Key == c.Key && serviceNamed(c.Service).Keyed:
		// A caller gives up a call in time, whatever the service does.
		given := time.Unix(0, p.Until)
		if underWay := (p.Ended.IsZero() || p.Ended.After(c.Began)) && c.Began.Before(given); underWay && !l.froze(p, c) && l.life(p.Life).up(c.Began) {
			return "the same call is under way"
		}
	case !p.Fortune.definite():
		return "an earlier call may have had its effect"
	}
	return ""
}

// froze tells whether the process of one of two calls was frozen shortly before:
// it may have been between its look at the lease and the call, which nothing can
// prevent.
func (l *Ledger) froze(p, c *Call) bool {
	since := c.Began.Add(-2 * leaseTime)
	return !l.life(p.Life).through(later(since, l.life(p.Life).Began), p.Began) || !l.life(c.Life).through(later(since, l.life(c.Life).Began), c.Began)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// checkEnds checks that everything settled, and as it went.
func (l *Ledger) checkEnds(v *Verdict) {
	took, bounced := map[string]bool{}, map[string]bool{}
	for _, c := range l.Calls {
		if c.Effect {
			took[c.Notification] = true
			if l.Reported[c.Key]["bounced"] != "" {
				bounced[c.Notification] = true
			}
		}
	}
	for _, id := range l.known() {
		end := l.Final[id]
		if end == nil || end.State == "" {
			v.Lost = append(v.Lost, fmt.Sprintf("%s did not settle; the last that was seen of it is %s", id, l.lastOf(id)))
			continue
		}
		v.Settled++
		state := notify.State(end.State)
		if state == notify.StateUnknown {
			v.Unknown++
		}
		switch says := saysSent(state); {
		case says && !took[id]:
			v.Lost = append(v.Lost, fmt.Sprintf("%s is %s, and nobody got it", id, state))
		case !says && state != notify.StateUnknown && took[id] && !bounced[id]:
			v.Lost = append(v.Lost, fmt.Sprintf("%s is %s, and was sent", id, state))
		}
	}
}

// lastOf is the event of a notification that happened last.
func (l *Ledger) lastOf(id string) string {
	var last Seen
	for _, e := range l.Events {
		if e.Notification == id && !e.Time.Before(last.Time) {
			last = e
		}
	}
	return last.Event
}

func saysSent(s notify.State) bool {
	return s == notify.StateSent || s == notify.StateDelivered || s == notify.StateBounced
}

// checkEvents checks that every observer took every event, and in the order of
// the record.
func (l *Ledger) checkEvents(v *Verdict) {
	raised := map[string]string{} // the type, by the event's ID; empty: nobody saw it
	for _, end := range l.Final {
		for _, id := range end.Events {
			raised[id] = ""
		}
	}
	for id, e := range l.Events {
		if e.Notification != "" { // else the machinery's, which a crash may lose
			raised[id] = e.Type
		}
	}
	v.Events = len(raised)
	for _, e := range l.unrecorded() {
		v.Ghosts = append(v.Ghosts, fmt.Sprintf("%s was seen, and is not in the record", e.Event))
	}
	slices.Sort(v.Ghosts)
	for _, observer := range observers {
		s := l.sight(observer)
		for id, kind := range raised {
			if observer == settling && kind != typeSettled && kind != typeUnknown {
				continue
			}
			if s.Taken[id] == 0 {
				v.Missed = append(v.Missed, fmt.Sprintf("%s did not see %s", observer, id))
			}
		}
		if observer == picky {
			continue // its dead letters come later
		}
		for notification, end := range l.Final {
			if at := disorder(end.Events, s.Order[notification]); at != "" {
				v.Disorder = append(v.Disorder, fmt.Sprintf("%s saw %s too early", observer, at))
			}
		}
	}
	slices.Sort(v.Missed)
	slices.Sort(v.Disorder)
}

// unrecorded are the events that were seen, and that the record did not have when
// it was looked at last.
func (l *Ledger) unrecorded() (events []Seen) {
	for id, e := range l.Events {
		end := l.Final[e.Notification]
		if end == nil || end.State == "" || len(end.Events) >= maxHistory { // the first of which were dropped
			continue
		}
		if !slices.Contains(end.Events, id) {
			events = append(events, e)
		}
	}
	return events
}

// maxHistory is how many events a record keeps.
const maxHistory = 256

// disorder returns the first event of seen that comes before one that precedes
// it in decided.
func disorder(decided, seen []string) string {
	place := map[string]int{}
	for i, id := range decided {
		place[id] = i + 1
	}
	last := 0
	for i := len(seen) - 1; i >= 0; i-- {
		at := place[seen[i]]
		if at == 0 {
			continue // raised after the record was looked at
		}
		if last > 0 && at > last {
			return seen[i]
		}
		last = at
	}
	return ""
}

// checkReports checks that what a service said is known to the observers, if
// Report took it: by the attempt's key, at once. By a message ID it may wait for a
// record that never comes to know it.
func (l *Ledger) checkReports(v *Verdict) {
	told := map[string]bool{}
	for _, e := range l.Events {
		told[e.attempt()+" "+e.Type] = true
	}
	for _, c := range l.Calls {
		if !c.Effect {
			continue
		}
		for event, how := range l.Reported[c.Key] {
			name := Seen{Notification: c.Notification, Leg: c.Leg, Attempt: c.Ordinal}.attempt() + " notify." + event + ".v1"
			if how != "by message ID" && !told[name] {
				v.Unheard = append(v.Unheard, fmt.Sprintf("%s was reported as %s (%s), and nobody was told", c.Key, event, how))
			}
		}
	}
	slices.Sort(v.Unheard)
}

// Types of events.
const (
	typeSettled = "notify.settled.v1"
	typeUnknown = "notify.unknown.v1"
	typeSending = "notify.sending.v1"
)

// checkUnknown checks that an attempt ended as Unknown for a reason: an answer
// was lost, its process was not there to hear it, or did not come to call.
func (l *Ledger) checkUnknown(v *Verdict) {
	intents := map[string][]Seen{}
	for _, e := range l.Events {
		if e.Type == typeSending {
			intents[e.attempt()] = append(intents[e.attempt()], e)
		}
	}
	calls := map[string][]*Call{}
	for _, c := range l.Calls {
		name := Seen{Notification: c.Notification, Leg: c.Leg, Attempt: c.Ordinal}.attempt()
		calls[name] = append(calls[name], c)
	}
	for _, e := range l.Events {
		if e.Type != typeUnknown {
			continue
		}
		heard := 0
		for _, c := range calls[e.attempt()] {
			if c.Began.Before(e.Time) && !c.lostAnswer() && l.life(c.Life).through(c.Began, e.Time) {
				heard++
			}
		}
		meant := 0
		for _, intent := range intents[e.attempt()] {
			if !intent.Time.After(e.Time) {
				meant++
			}
		}
		if heard > 0 && heard >= meant {
			v.Baseless = append(v.Baseless, e.Event)
		}
	}
	slices.Sort(v.Baseless)
}

// attempt names the attempt that an event is about.
func (s Seen) attempt() string { return fmt.Sprintf("%s %d.%d", s.Notification, s.Leg, s.Attempt) }

// lostAnswer tells whether the answer said nothing, or came too late.
func (c *Call) lostAnswer() bool {
	return c.Unheard || c.Fortune.Verdict == string(notify.VerdictUncertain) || c.Ended.IsZero() && c.Fortune.Pause >= callTimeout ||
		!c.Ended.IsZero() && c.Ended.Sub(c.Began) > callTimeout*9/10
}

// through tells whether the process ran from one time to the other.
func (l *Life) through(from, to time.Time) bool {
	return l.up(from) && l.up(to) && !slices.ContainsFunc(l.Frozen, func(s Span) bool {
		return s.From.Before(to) && (s.To.IsZero() || s.To.After(from))
	})
}
