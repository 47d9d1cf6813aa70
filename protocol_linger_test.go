package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// endAfter are limits that end what lingers for so long.
func endAfter(after time.Duration) phaseLimits {
	return phaseLimits{
		PhaseAccepted: {after, LimitExpire}, PhaseHeld: {after, LimitExpire}, PhaseRouted: {after, LimitExpire},
		PhaseRetrying: {after, LimitExpire}, PhaseSending: {after, LimitUnknown}, PhaseSent: {after, LimitReport},
	}
}

// lingering are lives that nothing but a limit brings to an end, or, as the one
// process strikes out, nothing else does.
var lingeringScenarios = []scenario{
	{
		name: "nobody delivers the channel", route: First(EmailChannel, SMSChannel), limits: endAfter(45 * time.Second),
		absent:   map[string]Channel{"victim": EmailChannel, "other": EmailChannel},
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "nobody delivers one of all", route: All(EmailChannel, SMSChannel), limits: endAfter(45 * time.Second),
		absent:   map[string]Channel{"victim": EmailChannel, "other": EmailChannel},
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "in doubt, and nobody knows the provider", route: First(EmailChannel, SMSChannel), limits: endAfter(20 * time.Second),
		absent:   map[string]Channel{"other": EmailChannel},
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "in doubt, nobody knows the provider, and it goes on", route: First(EmailChannel, SMSChannel).OnDoubt(), limits: endAfter(20 * time.Second),
		absent:   map[string]Channel{"other": EmailChannel},
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "repeated under its key, and nobody knows the provider", route: First(EmailChannel, SMSChannel), limits: endAfter(20 * time.Second),
		absent: map[string]Channel{"other": EmailChannel},
		services: func() []*service {
			return []*service{withKey(EmailChannel, losesReply, busy, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "retried, and nobody delivers the channel", route: First(EmailChannel, SMSChannel), limits: endAfter(20 * time.Second),
		absent:   map[string]Channel{"other": EmailChannel},
		services: func() []*service { return []*service{plain(EmailChannel, busy, busy, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "in doubt, sent again, and nobody delivers the channel", route: First(EmailChannel, SMSChannel), limits: endAfter(20 * time.Second),
		absent: map[string]Channel{"other": EmailChannel}, resends: true,
		services: func() []*service {
			again := one(&service{config: func(c *ProviderConfig) { c.ResendInDoubt = true }}, EmailChannel, losesReply, busy, takes)
			return []*service{again, plain(SMSChannel, takes)}
		},
	},
	{
		name: "reported on, and nobody knows the provider", route: First(EmailChannel, SMSChannel), limits: endAfter(20 * time.Second),
		absent: map[string]Channel{"other": EmailChannel}, awaits: true,
		services: func() []*service {
			early := []laterReport{{after: time.Second, byKey: true, event: Delivered{}}}
			return []*service{withReceipts(EmailChannel, early, takes), plain(SMSChannel, takes)}
		},
	},
	{
		name: "canceled in doubt, and nobody knows the provider", route: First(EmailChannel, SMSChannel), limits: endAfter(20 * time.Second),
		absent: map[string]Channel{"other": EmailChannel}, cancel: 700 * time.Millisecond,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "the guard fails for ever", route: First(EmailChannel, SMSChannel), limits: endAfter(45 * time.Second), broken: true, keyed: true,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "the guard holds it for ever", route: First(EmailChannel, SMSChannel), limits: endAfter(5 * time.Second), busyGuard: true,
		services: func() []*service { return []*service{plain(EmailChannel, takes), plain(SMSChannel, takes)} },
	},
	{
		name: "the report is late", route: First(EmailChannel, SMSChannel), limits: endAfter(5 * time.Second), awaits: true,
		services: func() []*service {
			late := []laterReport{{after: 9 * time.Second, event: Bounced{Class: ClassAddress}}}
			return []*service{withReceipts(EmailChannel, late, takes), plain(SMSChannel, takes)}
		},
	},
}

// TestTwoNotifiersWithLimits strikes one of two processes at its moves, while
// limits end what lingers.
func TestTwoNotifiersWithLimits(t *testing.T) {
	t.Parallel()
	for _, v := range variants {
		for i, s := range lingeringScenarios {
			t.Run(v.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				every := stride()
				if every == 29 {
					every = 11
				}
				s.strike(t, v, i, every)
			})
		}
	}
}

// Without limits they do not come to an end.
func TestNothingButALimitEndsWhatLingers(t *testing.T) {
	t.Parallel()
	dies := func(kind string, at int) fate { return fate{kind: kind, at: at, after: true} }
	for name, f := range map[string]fate{
		"nobody delivers the channel":                           {},
		"nobody delivers one of all":                            {},
		"in doubt, and nobody knows the provider":               dies("call email", 1),
		"in doubt, nobody knows the provider, and it goes on":   dies("call email", 1),
		"repeated under its key, and nobody knows the provider": dies("call email", 2),
		"retried, and nobody delivers the channel":              dies("store retrying", 1),
		"in doubt, sent again, and nobody delivers the channel": dies("store unknown", 1),
		"reported on, and nobody knows the provider":            dies("call email", 1),
		"canceled in doubt, and nobody knows the provider":      dies("call email", 1),
		"the guard fails for ever":                              {},
		"the guard holds it for ever":                           {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := lingeringScenarios[slices.IndexFunc(lingeringScenarios, func(s scenario) bool { return s.name == name })]
			out := s.run(t, variants[0], f, 0)
			requireNone(t, f, out)
			require.Equal(t, f.kind, out.struck)
			s.limits = nil
			requireBroken(t, "6", s.run(t, variants[0], f, 0).violations)
		})
	}
}

// Limits far shorter than a host may set race with everything else that ends
// what is under way.
func TestTwoNotifiersWithNarrowLimits(t *testing.T) {
	t.Parallel()
	for _, v := range variants {
		for i, s := range scenarios {
			s.limits = endAfter(time.Second)
			t.Run(v.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				s.strike(t, v, i, 2*stride()+1)
			})
		}
	}
}

// A limit is an end, also for a provider that may be used again in doubt.
func TestALimitIsNoReasonToSendAgain(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel), 0, func(p *providerPolicy) { p.ResendInDoubt = true }).routed().lingers()
	k.begin(1)
	k.taken()
	k.after(time.Minute).sweep()
	require.True(t, k.r.settled())
	require.Equal(t, StateUnknown, k.r.state())
	require.Empty(t, k.taken())
	k.sound(t)
}

// What was sent waits for its provider's report, also where a limit ends the
// attempt in a process that does not know the provider: a bounce fails over.
func TestALimitWhereNobodyKnowsTheProvider(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel, SMSChannel), 0, func(p *providerPolicy) { keyed(p); reporting(p) }).routed().lingers()
	k.begin(1)
	k.after(time.Minute)
	k.repeat(1, 1)
	k.answer(1, 1, 1, nil) // late
	clear(k.busy)
	k.taken()
	delete(k.d.policies, EmailChannel)
	k.after(time.Minute).sweep()
	require.False(t, k.r.settled())
	require.Equal(t, legReceipt, k.r.leg(1).State)
	k.report(1, 1, Bounced{})
	require.Equal(t, legOpen, k.r.leg(2).State)
	k.sound(t)
}

// What was canceled before it was sent ends as canceled, whoever ends it.
func TestALimitOfWhatWasCanceled(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel), 0, nil).lingers()
	k.r.Canceled = true // its tombstone came first
	k.after(time.Minute).sweep()
	require.True(t, k.r.settled())
	require.Equal(t, StateCanceled, k.r.state())
	require.Equal(t, []string{"accepted", "stuck.accepted.0", "canceled", "settled"}, k.raised(0))
	k.sound(t)
}

// The leg that begins where another was ended is given out once.
func TestALimitStartsTheNextLegOnce(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel, SMSChannel), 0, nil).routed().lingers()
	k.taken()
	k.after(time.Hour).sweep()
	all := k.taken()
	require.Len(t, all, 1)
	require.Equal(t, 2, all[0].Leg)
	k.sound(t)
}
