package notify

import (
	"reflect"
	"time"
)

// The decide files hold every decision of the pipeline, as pure functions of a
// record and an input: they read no clock, call nobody and store nothing. They
// follow the step protocol (docs/protocol.md): the numbers in comments, (1) to
// (20), are its moves, and ruleV1 to ruleV12 the rules without which it breaks.

// decider has what the decisions depend on besides the record.
type decider struct {
	codec    *codec
	source   string
	budgets  Budgets
	policies map[Channel][]providerPolicy // in order of preference
	// delays says that the backend holds delayed work by itself; otherwise the
	// sweep brings it back when it is due.
	delays bool
	// instance names this Notifier in leases.
	instance string
	// present tells whether the owner of a lease lives; nil: nobody can tell, and
	// leases are waited for.
	present func(owner string) bool
	// without switches rules off, in the tests that prove their worth.
	without rule
}

// providerPolicy is what the decisions depend on of one provider.
type providerPolicy struct {
	Name string
	ProviderConfig
	Capabilities
	CanAsk bool
}

// rule is a set of the protocol's rules.
type rule uint16

const (
	ruleV1  rule = 1 << iota // a temporary answer to a repeat proves nothing about the first call
	ruleV2                   // nor does a permanent one
	ruleV3                   // a fact is not an outcome
	ruleV4                   // the holder decides on all evidence
	ruleV5                   // a lease belongs to one execution
	ruleV6                   // canceled only if every granted epoch was answered
	ruleV7                   // acknowledge only a done step
	ruleV8                   // sweep finds what was not published
	ruleV9                   // publish all, oldest first, and mark exactly that
	ruleV10                  // a report does not end an open intent
	ruleV11                  // one content for one event ID
	ruleV12                  // settled closes the plan
)

func (d *decider) keeps(r rule) bool { return d.without&r == 0 }

func (d *decider) policy(c Channel, provider string) (providerPolicy, bool) {
	for _, p := range d.policies[c] {
		if p.Name == provider {
			return p, true
		}
	}
	return providerPolicy{}, false
}

// change is a decision in the making: a copy of a record, and what is raised
// on the way.
type change struct {
	*record
	d      *decider
	now    time.Time
	before State  // the headline that was last published
	cause  string // the ID of the event that moved it since
}

func (d *decider) change(r *record, now time.Time) *change {
	c := &change{record: r.clone(), d: d, now: now, before: r.state()}
	c.Sweeps = 0
	c.oldSeq = r.Seq
	return c
}

// finish completes the change, and returns the record to store.
func (c *change) finish() *record {
	c.correct()
	return c.record
}

// raise appends an event to the outbox, and its evidence to the record. suffix
// is what its ID has after the notification's.
func (c *change) raise(suffix string, at time.Time, data any) {
	e := c.append(suffix, at, data)
	if evidence, ok := evidenceOf(&Envelope{ID: e.id, Time: e.at}, data); ok {
		c.Evidence, ok = c.Evidence.joinOwn(evidence) // clone made it ours
		if ok && c.cause == "" && c.state() != c.before {
			c.cause = suffix
		}
	}
}

// correct raises Corrected (18): after Settled for each change of the
// headline, before it for each step back.
func (c *change) correct() {
	after := c.state()
	if after != c.before && (c.settled() || after.progress() < c.before.progress()) {
		suffix := "corrected"
		if c.d.keeps(ruleV11) {
			suffix += "." + c.cause
		}
		c.append(suffix, c.now, Corrected{From: c.before, To: after, Cause: c.eventID(c.cause)})
	}
	c.before, c.cause = after, ""
}

func (c *change) append(suffix string, at time.Time, data any) *decided {
	e := &decided{
		id: c.eventID(suffix), kind: c.d.codec.kindOf(reflect.TypeOf(data)),
		at: at.Round(0).UTC(), seen: c.now.Round(0).UTC(), data: data, source: c.d.source,
	}
	c.Seq++
	c.Outbox = append(c.Outbox, entry{seq: c.Seq, event: e})
	return e
}

// progress orders the states on the way to a delivery; every other end is as
// far from it as the start.
func (s State) progress() int {
	switch s {
	case StateSent:
		return 1
	case StateDelivered:
		return 2
	default:
		return 0
	}
}

// push appends work to the outbox.
func (c *change) push(w work, at time.Time) {
	w.Version, w.ID, w.At = workVersion, c.ID, at
	if !at.After(c.now) {
		w.At = time.Time{}
	}
	c.Seq++
	c.Outbox = append(c.Outbox, entry{seq: c.Seq, work: &w})
}

// pushLeg appends the work of the leg's current ordinal.
func (c *change) pushLeg(number int, at time.Time) {
	leg := c.leg(number)
	leg.NextAt = at
	c.push(work{Leg: number, Ordinal: leg.current(), Topic: deliverTopic(leg.Channel, c.Urgent)}, at)
}

func (r *record) ref(leg, ordinal int) Attempt {
	l := r.leg(leg)
	ref := Attempt{Leg: Leg{Leg: leg, Channel: l.Channel}, Attempt: ordinal}
	if a := l.attempt(ordinal); a != nil {
		ref.Provider = a.Provider
	}
	return ref
}

// last is the leg's last attempt that began, with number 0 if none did.
func (r *record) last(leg int) Attempt { return r.ref(leg, len(r.leg(leg).Attempts)) }
