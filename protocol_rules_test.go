package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/memory"
)

// Each rule of the protocol has a test here: what it tells holds with the rule,
// and breaks an invariant without it.

// requireRule makes decisions at a desk, with the rule and without, which breaks
// the invariant of that number.
func requireRule(t *testing.T, r rule, breaks string, set func(*providerPolicy), decide func(k *desk)) {
	t.Helper()
	t.Parallel()
	k := newDesk(First(EmailChannel, SMSChannel), 0, set).routed()
	decide(k)
	k.sound(t)
	k = newDesk(First(EmailChannel, SMSChannel), r, set).routed()
	decide(k)
	requireBroken(t, breaks, k.found)
}

func requireBroken(t *testing.T, invariant string, violations []string) {
	t.Helper()
	require.True(t, slices.ContainsFunc(violations, func(v string) bool { return strings.HasPrefix(v, invariant+":") }),
		"without the rule, invariant %s holds; broken are: %v", invariant, violations)
}

// requireRuleOf plays a scenario, with the rule and without, which breaks the
// invariant of that number. If the fate names a kind of move, the victim is
// struck at each of that kind, and each has to break it.
func requireRuleOf(t *testing.T, r rule, breaks string, s scenario, f fate) {
	t.Helper()
	out := s.run(t, variants[0], fate{}, 0)
	requireNone(t, fate{}, out)
	times := 0
	for _, kind := range out.moves {
		if kind == f.kind {
			times++
		}
	}
	if f.kind == "" {
		requireBroken(t, breaks, s.run(t, variants[0], f, r).violations)
		return
	}
	require.NotZero(t, times, "there is no %q among %v", f.kind, out.moves)
	for f.at = 1; f.at <= times; f.at++ {
		out := s.run(t, variants[0], f, 0)
		requireNone(t, f, out)
		require.Equal(t, f.kind, out.struck)
		without := s.run(t, variants[0], f, r)
		require.Equal(t, f.kind, without.struck)
		requireBroken(t, breaks, without.violations)
	}
}

func scenarioNamed(name string) scenario {
	return scenarios[slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })]
}

// A temporary answer to a repeat proves nothing about the first call.
func TestRuleV1(t *testing.T) {
	t.Parallel()
	requireRuleOf(t, ruleV1, "1, 2", scenarioNamed("repeated under its key"), fate{})
}

// Nor does a permanent one.
func TestRuleV2(t *testing.T) {
	t.Parallel()
	requireRuleOf(t, ruleV2, "3", scenarioNamed("repeated, and refused"), fate{})
}

// A fact is not an outcome: the first call's answer does not end what the
// second one is at.
func TestRuleV3(t *testing.T) {
	requireRule(t, ruleV3, "3", keyed, func(k *desk) {
		ordinal, first := k.begin(1)
		k.after(16*time.Second).repeat(1, ordinal)
		k.answer(1, ordinal, first, failure(VerdictPermanent))
	})
}

// The holder decides on all evidence: what is delivered is not sent again.
func TestRuleV4(t *testing.T) {
	requireRule(t, ruleV4, "1, 2", nil, func(k *desk) {
		ordinal, epoch := k.begin(1)
		k.report(1, ordinal, Delivered{})
		k.answer(1, ordinal, epoch, failure(VerdictTemporary))
		if k.r.leg(1).State == legOpen {
			k.after(2 * time.Second).begin(1)
		}
	})
}

// A lease belongs to one execution: a redelivery to the same process does not
// end its call.
func TestRuleV5(t *testing.T) {
	requireRule(t, ruleV5, "3", nil, func(k *desk) {
		ordinal, _ := k.begin(1)
		k.after(time.Second).deliver(1, ordinal)
	})
}

// Canceled only if every granted call was answered: one that is frozen before
// it goes out may yet go out, also after its attempt was given up as unknown.
func TestRuleV6(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"canceled in a call", "canceled after doubt"} {
		requireRuleOf(t, ruleV6, "6", scenarioNamed(name), fate{kind: "call email", freeze: 10 * time.Minute})
	}
}

// Acknowledge only a done step: work that finds a live lease comes back by
// itself, without a sweep.
func TestRuleV7(t *testing.T) {
	t.Parallel()
	s := scenarioNamed("in doubt")
	s.noSweep = true
	requireRuleOf(t, ruleV7, "6", s, fate{kind: "call email"})
}

// Sweep finds what was not published: a report or a cancel that died between
// its write and its publishing has no work to bring it back.
func TestRuleV8(t *testing.T) {
	t.Parallel()
	reported := scenarioNamed("first takes it")
	reported.impatient = true
	canceled := scenarioNamed("canceled in the receipt window")
	canceled.impatient = true
	for _, died := range []struct {
		scenario scenario
		write    string
	}{
		{reported, "store delivered"},
		{reported, "store undelivered"},
		{reported, "store bounced"},
		{reported, "store opened"},
		{canceled, "store canceled"},
	} {
		t.Run(died.write, func(t *testing.T) {
			t.Parallel()
			requireRuleOf(t, ruleV8, "5", died.scenario, fate{kind: died.write, after: true})
		})
	}
}

// Publish all, and mark exactly that: what another process decided meanwhile,
// and has not published, stays unpublished.
func TestRuleV9(t *testing.T) {
	t.Parallel()
	for _, without := range []rule{0, ruleV9} {
		k := newDesk(First(EmailChannel, SMSChannel), without, reporting)
		k.routed()
		meanwhile := &onPublish{}
		l := &ledger{
			decider: k.d, codec: k.d.codec, records: memory.NewRecords(), publisher: meanwhile,
			retention: day, changed: func(string, time.Time) {},
		}
		ctx := t.Context()
		s, err := l.store(ctx, k.r, 0)
		require.NoError(t, err)
		meanwhile.do = func() {
			k.begin(1)
			_, err := l.store(ctx, k.r, s.revision) // and dies before it publishes
			require.NoError(t, err)
		}
		_, err = l.flush(ctx, s)
		require.NoError(t, err)
		s, err = l.load(ctx, k.r.ID)
		require.NoError(t, err)
		var marked []string
		for _, e := range s.Outbox {
			if e.published && !slices.Contains(meanwhile.published, e.event.id) {
				marked = append(marked, e.event.id)
			}
		}
		require.Equal(t, without == 0, s.unpublished())
		require.Equal(t, without != 0, len(marked) > 0, "marked and never published: %v", marked)
		if without == 0 {
			_, err = l.flush(ctx, s)
			require.NoError(t, err)
			for id := range k.events {
				require.Contains(t, meanwhile.published, id)
			}
		}
	}
}

// onPublish is a publisher during whose first call something happens.
type onPublish struct {
	do        func()
	published []string
}

func (p *onPublish) Publish(_ string, messages ...*message.Message) error {
	for _, m := range messages {
		p.published = append(p.published, m.Metadata["ce_id"])
	}
	if do := p.do; do != nil {
		p.do = nil
		do()
	}
	return nil
}

func (p *onPublish) Close() error { return nil }

// A report does not end an open intent: its holder's write does.
func TestRuleV10(t *testing.T) {
	requireRule(t, ruleV10, "3", keyed, func(k *desk) {
		ordinal, _ := k.begin(1)
		k.after(16*time.Second).repeat(1, ordinal)
		k.report(1, ordinal, Bounced{Class: ClassAddress})
	})
}

// One content for one event ID: each change of the headline after Settled has
// its own.
func TestRuleV11(t *testing.T) {
	t.Parallel()
	requireRuleOf(t, ruleV11, "5", scenarioNamed("first takes it"), fate{})
}

// Settled closes the plan: a bounce after it starts nothing.
func TestRuleV12(t *testing.T) {
	t.Parallel()
	requireRuleOf(t, ruleV12, "7", scenarioNamed("first takes it"), fate{})
}

// lingers gives the desk limits that end everything after a second.
func (k *desk) lingers() *desk {
	limits := endAfter(time.Second)
	k.d.limits.Store(&limits)
	return k
}

// A limit counts from the end of a lease: whoever holds it is at work.
func TestRuleV13(t *testing.T) {
	requireRule(t, ruleV13, "3", nil, func(k *desk) {
		k.lingers().begin(1)
		k.after(3 * time.Second).sweep()
	})
}

// What may have been sent does not expire, or the next leg would begin.
func TestRuleV14(t *testing.T) {
	requireRule(t, ruleV14, "3", nil, func(k *desk) {
		k.lingers().begin(1)
		k.after(time.Minute).sweep()
	})
}
