package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// desk is one record on which decisions are made by hand, in memory and at a
// time that stands still until it is moved. It checks every step.
type desk struct {
	d      *decider
	r      *record
	now    time.Time
	resend bool
	// busy holds the calls that are under way, by key and number.
	busy   map[string]bool
	events map[string]*decided
	found  []string // violations
}

func policyOf(channel Channel, name string, set func(*providerPolicy)) providerPolicy {
	p := providerPolicy{Name: name, ProviderConfig: providerDefaults()}
	p.AttemptTimeout, p.Attempts = 5*time.Second, 3
	p.Backoff = func(int) time.Duration { return 2 * time.Second }
	if set != nil {
		set(&p)
	}
	return p
}

func keyed(p *providerPolicy) { p.KeyWindow = day }

func askable(p *providerPolicy) { p.CanAsk = true }

func reporting(p *providerPolicy) { p.Receipts, p.ReceiptWindow = true, 20*time.Second }

// newDesk returns a desk with a notification that was routed at second 0. The
// e-mail provider is as set says.
func newDesk(route Route, without rule, set func(*providerPolicy)) *desk {
	c := newCodec("test")
	began := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	k := &desk{
		now: began, busy: map[string]bool{}, events: map[string]*decided{},
		d: &decider{
			codec: c, source: "test", instance: "here", delays: true, without: without,
			budgets:  Budgets{Message: day, Channel: 6 * time.Hour, Retention: day},
			policies: map[Channel][]providerPolicy{EmailChannel: {policyOf(EmailChannel, "mail", set)}},
		},
		r: &record{
			Version: recordVersion, ID: "n1", AcceptedAt: began, Deadline: began.Add(day),
			Request: &Notification{To: Recipient{ID: "u1"}, Route: route},
		},
	}
	for _, channel := range []Channel{SMSChannel, PushChannel, ChatChannel} {
		k.d.policies[channel] = []providerPolicy{policyOf(channel, string(channel), nil)}
	}
	return k
}

func (k *desk) routed() *desk {
	if c, next := k.d.route(k.r, k.now); next == routeToPlan {
		c.plan(makePlan(k.r.Request.Route, func(Channel) RejectReason { return "" }), func(Channel) string { return "hash" })
		k.apply(c)
	}
	return k
}

func (k *desk) after(d time.Duration) *desk {
	k.now = k.now.Add(d)
	return k
}

// apply stores a change, and publishes what it raised.
func (k *desk) apply(c *change) {
	before := k.r
	next := c.finish()
	k.found = append(k.found, checkStep(before, next, circumstances{
		resends: k.resend,
		owned: func(a *attemptRecord) bool {
			return k.now.Before(a.Lease.Until) && k.busy[callName(a.Key, a.Granted)]
		},
		can: k.can,
	})...)
	for _, e := range next.Outbox {
		if e.seq <= before.Seq || e.event == nil {
			continue
		}
		if k.events[e.event.id] != nil {
			k.found = append(k.found, "5: two events have the ID "+e.event.id)
		}
		k.events[e.event.id] = e.event
	}
	k.r = next
}

func (k *desk) can(provider string) Capabilities {
	for _, policies := range k.d.policies {
		for i := range policies {
			if policies[i].Name == provider {
				return policies[i].Capabilities
			}
		}
	}
	return Capabilities{}
}

// taken takes and drops the work in the outbox.
func (k *desk) taken() (all []work) {
	r := k.r.clone()
	for _, e := range r.Outbox {
		if e.work != nil && !e.published {
			all = append(all, *e.work)
		}
	}
	r.markPublished(func(int64) bool { return true })
	k.r = r
	return all
}

// begin begins the leg's current ordinal with its channel's first provider, and
// returns the call's epoch.
func (k *desk) begin(number int) (ordinal, epoch int) {
	leg := k.r.leg(number)
	for _, p := range k.d.policies[leg.Channel] {
		if leg.Out[p.Name] == "" {
			c := k.d.change(k.r, k.now)
			ordinal = c.begin(number, p, &rendered{})
			k.apply(c)
			k.busy[callName(k.r.leg(number).attempt(ordinal).Key, 1)] = true
			return ordinal, 1
		}
	}
	panic("no provider is left")
}

// repeat grants a further call of the ordinal.
func (k *desk) repeat(number, ordinal int) (epoch int) {
	c := k.d.change(k.r, k.now)
	a := c.leg(number).attempt(ordinal)
	policy, _ := k.d.policy(c.leg(number).Channel, a.Provider)
	epoch = c.grant(number, ordinal, policy)
	k.apply(c)
	k.busy[callName(a.Key, epoch)] = true
	return epoch
}

// answer is the answer of a call; nil is the provider's yes.
func (k *desk) answer(number, ordinal, epoch int, err *SendError) (again bool, at time.Time) {
	key := k.r.leg(number).attempt(ordinal).Key
	delete(k.busy, callName(key, epoch))
	c, again, at := k.d.answer(k.r, number, ordinal, answer{
		epoch: epoch, err: err, receipt: Receipt{MessageID: messageID(key)}, pause: 2 * time.Second,
	}, k.now)
	k.apply(c)
	return again, at
}

func (k *desk) deliver(number, ordinal int) (move, time.Time) {
	c, next, at := k.d.deliver(k.r, number, ordinal, k.now)
	if c != nil {
		k.apply(c)
	}
	return next, at
}

func (k *desk) sweep() {
	if c := k.d.sweep(k.r, k.now); c != nil {
		k.apply(c)
	}
}

func (k *desk) report(number, ordinal int, event any) {
	rep := Report{Event: event, At: k.now}
	data, _ := rep.about(k.r.ref(number, ordinal))
	c := k.d.report(k.r, reported{
		leg: number, ordinal: ordinal, suffix: attemptID(number, ordinal, rep.kind(k.d.codec)), at: k.now, data: data,
	}, k.now)
	if c != nil {
		k.apply(c)
	}
}

func (k *desk) cancel(t require.TestingT) bool {
	c, canceled, err := k.d.cancel(k.r, k.now)
	require.NoError(t, err)
	if c != nil {
		k.apply(c)
	}
	return canceled
}

// raised tells which events there are, by the ends of their IDs.
func (k *desk) raised(after int64) (suffixes []string) {
	for _, e := range k.r.Outbox {
		if e.event != nil && e.seq > after {
			suffixes = append(suffixes, e.event.id[len(k.r.ID)+1:])
		}
	}
	return suffixes
}

func (k *desk) sound(t *testing.T) {
	t.Helper()
	require.Empty(t, k.found)
}

// routeOnce makes one decision of the route step, which holds it.
func (k *desk) routeOnce() {
	c, _ := k.d.route(k.r, k.now)
	k.apply(c)
	k.taken()
}
