package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/memory"
)

// Each rule of the protocol has a test here: what it tells holds with the rule,
// and breaks an invariant without it.

// requireRule makes decisions at a desk, with the rule and without.
func requireRule(t *testing.T, r rule, set func(*providerPolicy), decide func(k *desk)) {
	t.Helper()
	t.Parallel()
	for _, without := range []rule{0, r} {
		k := newDesk(First(EmailChannel, SMSChannel), without, set).routed()
		decide(k)
		require.Equal(t, without != 0, len(k.found) > 0, "without %b: %v", without, k.found)
	}
}

// requireRuleOf plays a scenario, with the rule and without, the victim struck
// at the moves that fates names, until an invariant breaks without.
func requireRuleOf(t *testing.T, r rule, v variant, s scenario, fates func(moves []string) []fate) {
	t.Helper()
	t.Parallel()
	out := s.run(t, v, fate{}, 0)
	requireNone(t, fate{}, out)
	broken := false
	for _, f := range fates(out.moves) {
		requireNone(t, f, s.run(t, v, f, 0))
		broken = broken || len(s.run(t, v, f, r).violations) > 0
	}
	require.True(t, broken, "no invariant breaks without the rule, at %v", fates(out.moves))
}

func scenarioNamed(name string) scenario {
	return scenarios[slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })]
}

func unharmed([]string) []fate { return []fate{{}} }

// at names the fates of being struck at each move of a kind.
func at(kind string, f fate) func([]string) []fate {
	return func(moves []string) (all []fate) {
		f.kind = kind
		for _, m := range moves {
			if m == kind {
				f.at++
				all = append(all, f)
			}
		}
		return all
	}
}

// A temporary answer to a repeat proves nothing about the first call.
func TestRuleV1(t *testing.T) {
	requireRuleOf(t, ruleV1, variants[0], scenarioNamed("repeated under its key"), unharmed)
}

// Nor does a permanent one.
func TestRuleV2(t *testing.T) {
	requireRuleOf(t, ruleV2, variants[0], scenarioNamed("repeated, and refused"), unharmed)
}

// A fact is not an outcome: the first call's answer does not end what the
// second one is at.
func TestRuleV3(t *testing.T) {
	requireRule(t, ruleV3, keyed, func(k *desk) {
		ordinal, first := k.begin(1)
		k.after(16*time.Second).repeat(1, ordinal)
		k.answer(1, ordinal, first, failure(VerdictPermanent))
	})
}

// The holder decides on all evidence: what is delivered is not sent again.
func TestRuleV4(t *testing.T) {
	requireRule(t, ruleV4, nil, func(k *desk) {
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
	requireRule(t, ruleV5, nil, func(k *desk) {
		ordinal, _ := k.begin(1)
		k.after(time.Second).deliver(1, ordinal)
	})
}

// Canceled only if every granted call was answered: one that is frozen before
// it goes out may yet go out.
func TestRuleV6(t *testing.T) {
	requireRuleOf(t, ruleV6, variants[0], scenarioNamed("canceled in a call"), at("call email", fate{freeze: 10 * time.Minute}))
}

// Acknowledge only a done step: work that finds a live lease comes back by
// itself, without a sweep.
func TestRuleV7(t *testing.T) {
	s := scenarioNamed("in doubt")
	s.noSweep = true
	requireRuleOf(t, ruleV7, variants[0], s, at("call email", fate{}))
}

// Sweep finds what was not published: a report that died has no work to bring
// it back.
func TestRuleV8(t *testing.T) {
	s := scenarioNamed("first takes it")
	s.impatient = true
	requireRuleOf(t, ruleV8, variants[0], s, func(moves []string) []fate {
		stores := at("store", fate{after: true})(moves)
		return stores[len(stores)/2:] // among them the reports' and their marks
	})
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
	requireRule(t, ruleV10, keyed, func(k *desk) {
		ordinal, _ := k.begin(1)
		k.after(16*time.Second).repeat(1, ordinal)
		k.report(1, ordinal, Bounced{Class: ClassAddress})
	})
}

// One content for one event ID: each change of the headline after Settled has
// its own.
func TestRuleV11(t *testing.T) {
	requireRuleOf(t, ruleV11, variants[0], scenarioNamed("first takes it"), unharmed)
}

// Settled closes the plan: a bounce after it starts nothing.
func TestRuleV12(t *testing.T) {
	requireRuleOf(t, ruleV12, variants[0], scenarioNamed("first takes it"), unharmed)
}
