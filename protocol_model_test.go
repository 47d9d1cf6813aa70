package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is a random life of one notification: two workers and a host make the
// protocol's moves in any order, executions die, freeze and outlive their
// leases, answers get lost, and work is delivered again. Every step is checked.
type model struct {
	*desk
	queue    []work
	runs     []*execution
	effects  map[string]int // by attempt key
	legs     map[int]int    // effects by leg
	canceled bool           // Cancel answered canceled
}

// execution is a worker at an ordinal, from the intent's write on.
type execution struct {
	work    work
	epoch   int
	key     string
	checked bool // it has seen its lease alive, and calls next
	called  bool
	err     *SendError // the call's answer
	stored  bool       // its answer was written, and that write's success not seen
}

func newModel(t *rapid.T) *model {
	route := rapid.SampledFrom([]Route{
		First(EmailChannel, SMSChannel),
		First(EmailChannel, SMSChannel).OnDoubt(),
		All(EmailChannel, SMSChannel),
		First(All(PushChannel, EmailChannel), SMSChannel),
		First(All(PushChannel, EmailChannel), SMSChannel).OnDoubt(),
		All(First(EmailChannel, SMSChannel), First(PushChannel, ChatChannel)),
	}).Draw(t, "route")
	kind := rapid.SampledFrom([]string{"plain", "keyed", "askable", "keyed and askable", "reporting", "keyed and reporting", "resending"}).Draw(t, "provider")
	second := rapid.Bool().Draw(t, "a second provider")
	m := &model{effects: map[string]int{}, legs: map[int]int{}}
	set := func(p *providerPolicy) {
		switch kind {
		case "keyed":
			keyed(p)
		case "askable":
			askable(p)
		case "keyed and askable":
			keyed(p)
			askable(p)
		case "reporting":
			reporting(p)
		case "keyed and reporting":
			keyed(p)
			reporting(p)
		case "resending":
			p.ResendInDoubt = true
		}
	}
	m.desk = newDesk(route, switchedOff(), set)
	if rapid.Bool().Draw(t, "limits") {
		limits := endAfter(time.Duration(rapid.IntRange(1, 30).Draw(t, "limit")) * time.Second)
		m.d.limits.Store(&limits)
	}
	m.resend = kind == "resending"
	if second {
		m.d.policies[EmailChannel] = append(m.d.policies[EmailChannel], policyOf(EmailChannel, "mail-2", nil))
	}
	m.routed()
	m.gather()
	return m
}

// gather takes the work from the outbox to the topics.
func (m *model) gather() { m.queue = append(m.queue, m.taken()...) }

// check fails on what the steps so far have broken.
func (m *model) check(t *rapid.T) {
	require.Empty(t, m.found)
	first := slices.ContainsFunc(m.r.Plan.Children, func(p plan) bool { return p.Kind == routeFirst })
	if m.r.Plan.Kind == routeFirst || first {
		m.checkFirst(t, &m.r.Plan)
	}
	for leg, n := range m.legs {
		require.False(t, n > 1 && !m.resend, "leg %d had %d effects", leg, n)
	}
}

func (m *model) checkFirst(t *rapid.T, p *plan) {
	n := 0
	for i := range p.Children {
		if slices.ContainsFunc(p.Children[i].leaves(), m.lasts) {
			n++
		}
		m.checkFirst(t, &p.Children[i])
	}
	require.False(t, p.Kind == routeFirst && !p.OnDoubt && n > 1, "%d steps of a First had an effect", n)
}

// lasts tells whether a leg had an effect that did not come back.
func (m *model) lasts(leg int) bool {
	for ordinal := range m.r.leg(leg).Attempts {
		if m.effects[m.r.attemptKey(leg, ordinal+1)] == 0 {
			continue
		}
		// A provider may contradict itself, but it was a reason to go on.
		known := m.r.Evidence
		if !known.has(leg, ordinal+1, evidenceBounced) && !known.has(leg, ordinal+1, evidenceUndelivered) {
			return true
		}
	}
	return false
}

// take has a worker take an item of work.
func (m *model) take(t *rapid.T) {
	if len(m.queue) == 0 {
		return // no work
	}
	i := rapid.IntRange(0, len(m.queue)-1).Draw(t, "work")
	w := m.queue[i]
	if w.At.After(m.now) {
		return // it is for later
	}
	m.queue = slices.Delete(m.queue, i, i+1)
	m.handle(w)
}

func (m *model) handle(w work) {
	if w.Leg == 0 {
		return
	}
	next, at := m.deliver(w.Leg, w.Ordinal)
	switch next {
	case movePutBack:
		w.At = at
		m.queue = append(m.queue, w)
	case moveBegin:
		_, epoch := m.begin(w.Leg)
		m.run(w, epoch)
	case moveRepeat:
		m.run(w, m.repeat(w.Leg, w.Ordinal))
	case moveAsk:
		key := m.r.leg(w.Leg).attempt(w.Ordinal).Key
		var found *Receipt
		if m.effects[key] > 0 {
			found = &Receipt{MessageID: messageID(key)}
		}
		if c := m.d.asked(m.r, w.Leg, w.Ordinal, found, time.Second, m.now); c != nil {
			m.apply(c)
		}
	}
	m.gather()
}

func (m *model) run(w work, epoch int) {
	m.runs = append(m.runs, &execution{work: w, epoch: epoch, key: m.r.leg(w.Leg).attempt(w.Ordinal).Key})
}

func (m *model) pick(t *rapid.T, which func(*execution) bool) *execution {
	var some []*execution
	for _, e := range m.runs {
		if which(e) {
			some = append(some, e)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return rapid.SampledFrom(some).Draw(t, "execution")
}

// look is an execution's look at its lease: it calls next, however long it
// may be frozen before, or gives the call up.
func (m *model) look(t *rapid.T) {
	e := m.pick(t, func(e *execution) bool { return !e.checked })
	if e == nil {
		return
	}
	e.checked = true
	a := m.r.leg(e.work.Leg).attempt(e.work.Ordinal)
	policy, _ := m.d.policy(m.r.leg(e.work.Leg).Channel, a.Provider)
	// Of a later epoch's lease it knows nothing; its own began as long ago.
	if a.Granted == e.epoch && a.Lease.Until.Sub(m.now) < policy.AttemptTimeout || a.Granted != e.epoch {
		e.called, e.err = true, failure(VerdictTemporary)
	}
}

// call is an execution's call: what the service does, and what is heard of it.
func (m *model) call(t *rapid.T) {
	e := m.pick(t, func(e *execution) bool { return e.checked && !e.called })
	if e == nil {
		return
	}
	require.False(t, m.canceled, "a provider is called after Cancel answered canceled")
	policy, _ := m.d.policy(m.r.leg(e.work.Leg).Channel, m.r.leg(e.work.Leg).attempt(e.work.Ordinal).Provider)
	e.called = true
	known := policy.KeyWindow > 0 && m.effects[e.key] > 0
	switch rapid.SampledFrom([]string{"takes", "loses the answer", "loses the call", "is busy", "refuses"}).Draw(t, "service") {
	case "takes":
		m.effect(e, known)
	case "loses the answer":
		m.effect(e, known)
		e.err = failure(VerdictUncertain)
	case "loses the call":
		e.err = failure(VerdictUncertain)
	case "is busy":
		e.err = failure(VerdictTemporary)
	default:
		class := rapid.SampledFrom([]FailureClass{ClassService, ClassAddress}).Draw(t, "class")
		e.err = &SendError{Verdict: VerdictPermanent, Class: class}
	}
}

func (m *model) effect(e *execution, known bool) {
	if !known {
		m.effects[e.key]++
		m.legs[e.work.Leg]++
	}
}

// store writes an execution's answer. If the write's success is not seen, it is
// written again later.
func (m *model) store(t *rapid.T) {
	e := m.pick(t, func(e *execution) bool { return e.called })
	if e == nil {
		return
	}
	again, at := m.answer(e.work.Leg, e.work.Ordinal, e.epoch, e.err)
	m.gather()
	if !e.stored && rapid.IntRange(0, 9).Draw(t, "unseen") == 0 {
		e.stored = true
		return
	}
	if again {
		w := e.work
		w.At = at
		m.queue = append(m.queue, w)
	}
	m.end(e)
}

func (m *model) end(e *execution) {
	m.runs = slices.DeleteFunc(m.runs, func(other *execution) bool { return other == e })
}

// die ends an execution; its work is delivered again.
func (m *model) die(t *rapid.T) {
	e := m.pick(t, func(*execution) bool { return true })
	if e == nil {
		return
	}
	delete(m.busy, callName(e.key, e.epoch))
	m.queue = append(m.queue, e.work)
	m.end(e)
}

// pass lets time pass: also more than a lease.
func (m *model) pass(t *rapid.T) {
	m.after(time.Duration(rapid.SampledFrom([]int{1, 2, 5, 11, 16, 40}).Draw(t, "seconds")) * time.Second)
}

func (m *model) again(t *rapid.T) {
	if len(m.queue) == 0 {
		return // no work
	}
	m.queue = append(m.queue, rapid.SampledFrom(m.queue).Draw(t, "work"))
}

func (m *model) cancelIt(t *rapid.T) {
	if m.r.settled() {
		c, canceled, err := m.d.cancel(m.r, m.now)
		require.Nil(t, c, "it has settled")
		if m.canceled {
			require.NoError(t, err, "it answered canceled before")
		}
		require.Equal(t, err == nil, canceled)
		require.False(t, canceled && (!m.r.Canceled || m.r.inDoubt()))
		return
	}
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		return // seldom
	}
	m.canceled = m.cancel(t)
	m.gather()
}

func (m *model) reportIt(t *rapid.T) {
	var keys []string
	for key := range m.effects {
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return // nothing to report
	}
	slices.Sort(keys)
	_, leg, ordinal, _ := parseAttemptKey(rapid.SampledFrom(keys).Draw(t, "key"))
	m.report(leg, ordinal, rapid.SampledFrom([]any{
		Delivered{}, Undelivered{Class: ClassAddress}, Bounced{Class: ClassAddress}, Opened{},
	}).Draw(t, "report"))
	m.gather()
}

func (m *model) sweep() {
	m.desk.sweep()
	m.gather()
}

// settles drives what is left to its end: every execution dies, and one worker
// does what the topics and the sweep bring (6).
func (m *model) settles(t *rapid.T) {
	clear(m.busy)
	for _, e := range m.runs {
		m.queue = append(m.queue, e.work)
	}
	m.runs = nil
	for range 400 {
		if m.r.settled() {
			return
		}
		items := m.queue
		m.queue = nil
		for _, w := range items {
			if w.At.After(m.now) {
				m.queue = append(m.queue, w)
				continue
			}
			m.handle(w)
		}
		for _, e := range slices.Clone(m.runs) {
			require.False(t, m.canceled, "a provider is called after Cancel answered canceled")
			m.answer(e.work.Leg, e.work.Ordinal, e.epoch, failure(VerdictTemporary))
			m.gather()
			m.end(e)
		}
		m.after(5 * time.Second)
		m.sweep()
	}
	t.Fatalf("it does not settle: %s", describeLegs(m.r))
}

func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"":          m.check,
			"take":      m.take,
			"take more": m.take,
			"look":      m.look,
			"call":      m.call,
			"store":     m.store,
			"die":       m.die,
			"pass":      m.pass,
			"redeliver": m.again,
			"cancel":    m.cancelIt,
			"report":    m.reportIt,
			"sweep":     func(*rapid.T) { m.sweep() },
		})
		m.settles(t)
		m.check(t)
	})
}
