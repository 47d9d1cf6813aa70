package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answered makes a decision of the answer of a leg's first call.
func answered(leg int, err *SendError) func(*testing.T, *desk) any {
	return func(_ *testing.T, k *desk) any {
		again, _ := k.answer(leg, 1, 1, err)
		return again
	}
}

// allBegun is a record all of whose open legs have an open intent.
func allBegun(k *desk) {
	k.routed()
	for i := range k.r.Legs {
		if k.r.Legs[i].State == legOpen {
			k.begin(i + 1)
		}
	}
	k.taken()
	k.after(time.Second)
}

var (
	allFirst  = First(All(PushChannel, EmailChannel), SMSChannel)
	firstsAll = All(First(EmailChannel, SMSChannel), First(PushChannel, ChatChannel))
	onDoubt   = First(EmailChannel, SMSChannel).OnDoubt()
)

// ended is a record whose only open leg ends for that reason.
func ended(leg int, reason EndReason) func(*testing.T, *desk) any {
	return func(_ *testing.T, k *desk) any {
		c := k.d.change(k.r, k.now)
		c.leg(leg).Guard, c.leg(leg).GuardReason = "limits", "enough"
		c.endLeg(leg, reason)
		k.apply(c)
		return k.r.state()
	}
}

var factDecisions = []decision{
	{
		name: "16: undelivered in the window fails over", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() }, do: reportingIt(Undelivered{}),
		raised: []string{"1.1/undelivered", "1/failed", "2/failed_over", "corrected.1.1/undelivered"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended undelivered mail granted 1 answered 1 refused 0 undelivered over][sms open ]",
	},
	{
		name: "16: a report that the address does not exist", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			k.apply(k.d.report(k.r, reported{
				leg: 1, ordinal: 1, suffix: "1.1/bounced", at: k.now, data: Bounced{Attempt: k.r.ref(1, 1)}, hard: true,
			}, k.now))
			return nil
		},
		raised: []string{"1.1/bounced", "1.1/bounced.address_invalid", "1/failed", "2/failed_over", "corrected.1.1/bounced"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended bounced mail granted 1 answered 1 refused 0 bounced over][sms open ]",
	},
	{
		name: "16: engagement in the window ends nothing", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do:     reportingIt(Opened{}),
		raised: []string{"1.1/opened.P3am7vGnVigHyGNG.ugbunL0aerS9"},
		legs:   "[email receipt  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "16: the same engagement again", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.report(1, 1, Opened{}); k.taken() },
		do:     reportingIt(Opened{}),
		legs:   "[email receipt  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "16: a report on an earlier attempt ends nothing",
		set:  resendingAndReporting,
		before: func(k *desk) {
			k.resend = true
			intended(k)
			k.answer(1, 1, 1, failure(VerdictUncertain))
			ordinal, epoch := k.begin(1)
			k.answer(1, ordinal, epoch, nil)
			k.taken()
		},
		do:     reportingIt(Bounced{}),
		raised: []string{"1.1/bounced"},
		legs:   "[email receipt  mail granted 1 answered 0 refused 0 bounced over mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "16: a bounce in a repeated call's intent is evidence and no more", set: keyed,
		before: func(k *desk) { expired(k); k.repeat(1, 1); k.taken() }, do: reportingIt(Bounced{}),
		raised: []string{"1.1/bounced"},
		legs:   "[email open  mail granted 2 answered 0 refused 0 bounced][sms  ]",
	},
	{
		name: "17: All inside First goes on when every leg has failed", route: allFirst,
		before: func(k *desk) { allBegun(k); k.answer(1, 1, 1, failure(VerdictPermanent)); k.taken() },
		do:     answered(2, failure(VerdictPermanent)), want: false,
		raised: []string{"2/failed", "3/failed_over"},
		work:   []work{{Leg: 3, Ordinal: 1}},
		legs:   "[push ended rejected push granted 1 answered 1 refused 1 rejected_permanently over][email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name: "17: All inside First waits for its other leg", route: allFirst,
		before: allBegun, do: answered(1, failure(VerdictPermanent)), want: false,
		raised: []string{"1/failed"},
		legs:   "[push ended rejected push granted 1 answered 1 refused 1 rejected_permanently over][email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "17: All inside First succeeds with one leg", route: allFirst,
		before: func(k *desk) { allBegun(k); k.answer(1, 1, 1, nil); k.taken() },
		do:     answered(2, failure(VerdictPermanent)), want: false,
		raised: []string{"2/failed", "settled"},
		legs:   "[push ended  push granted 1 answered 1 refused 0 sent over][email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms  ]",
	},
	{
		name: "17: All inside First in doubt does not go on", route: allFirst,
		before: func(k *desk) { allBegun(k); k.answer(1, 1, 1, failure(VerdictUncertain)); k.taken() },
		do:     answered(2, failure(VerdictPermanent)), want: false,
		raised: []string{"2/failed", "settled"},
		legs:   "[push ended in_doubt push granted 1 answered 0 refused 0 unknown over][email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms  ]",
	},
	{
		name: "17: All inside First in doubt goes on, where that is chosen", route: allFirst.OnDoubt(),
		before: func(k *desk) { allBegun(k); k.answer(1, 1, 1, failure(VerdictUncertain)); k.taken() },
		do:     answered(2, failure(VerdictPermanent)), want: false,
		raised: []string{"2/failed", "3/failed_over"},
		work:   []work{{Leg: 3, Ordinal: 1}},
		legs:   "[push ended in_doubt push granted 1 answered 0 refused 0 unknown over][email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name: "17: First inside All goes on for itself", route: firstsAll,
		before: allBegun, do: answered(3, failure(VerdictPermanent)), want: false,
		raised: []string{"3/failed", "4/failed_over"},
		work:   []work{{Leg: 4, Ordinal: 1}},
		legs:   "[email open  mail granted 1 answered 0 refused 0 intent][sms  ][push ended rejected push granted 1 answered 1 refused 1 rejected_permanently over][chat open ]",
	},
	{
		name: "17: All settles with its last leg", route: All(EmailChannel, SMSChannel),
		before: func(k *desk) { allBegun(k); k.answer(2, 1, 1, failure(VerdictPermanent)); k.taken() },
		do:     answered(1, nil), want: false,
		raised: []string{"1.1/sent", "settled"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 sent over][sms ended rejected sms granted 1 answered 1 refused 1 rejected_permanently over]",
	},
	{
		name: "17: in doubt, and goes on, where that is chosen", route: onDoubt,
		before: intended, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms open ]",
	},
	{
		name: "17: in doubt, and then refused: still in doubt", route: onDoubt,
		before: func(k *desk) {
			intended(k)
			k.answer(1, 1, 1, failure(VerdictUncertain))
			k.begin(2)
			k.taken()
		},
		do: answered(2, failure(VerdictPermanent)), want: false,
		raised: []string{"2/failed", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms ended rejected sms granted 1 answered 1 refused 1 rejected_permanently over]",
	},
	{
		name: "17: every leg has failed", route: First(EmailChannel),
		before: intended, do: answering(failure(VerdictPermanent)), want: false,
		raised: []string{"1/failed", "undeliverable", "settled"},
		legs:   "[email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over]",
	},
	{
		name: "17: the last leg expires", route: First(EmailChannel),
		before: func(k *desk) { k.routed().taken() }, do: ended(1, EndExpired), want: StateExpired,
		raised: []string{"1/expired", "expired", "settled"},
		legs:   "[email ended expired]",
	},
	{
		name: "17: a guard suppresses the last leg", route: First(EmailChannel),
		before: func(k *desk) { k.routed().taken() }, do: ended(1, EndSuppressed), want: StateSuppressed,
		raised: []string{"1/suppressed", "suppressed", "settled"},
		legs:   "[email ended suppressed]",
	},
	{
		name: "17: the last leg cannot be rendered", route: First(EmailChannel),
		before: func(k *desk) { k.routed().taken() }, do: ended(1, EndUnrenderable), want: StateFailed,
		raised: []string{"1/failed", "undeliverable", "settled"},
		legs:   "[email ended unrenderable]",
	},
	{
		name: "17: a leg ends once", before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do: ended(1, EndBudget), want: StateSent,
		legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "18: a step back before Settled is corrected", route: All(EmailChannel, SMSChannel),
		before: func(k *desk) { allBegun(k); k.answer(1, 1, 1, nil); k.taken() },
		do:     reportingIt(Bounced{}),
		raised: []string{"1.1/bounced", "corrected.1.1/bounced"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 bounced over][sms open  sms granted 1 answered 0 refused 0 intent]",
	},
	{
		name: "18: a step forward before Settled is not", route: All(EmailChannel, SMSChannel),
		before: func(k *desk) { allBegun(k); k.answer(1, 1, 1, nil); k.taken() },
		do:     reportingIt(Delivered{}),
		raised: []string{"1.1/delivered"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 delivered over][sms open  sms granted 1 answered 0 refused 0 intent]",
	},
	{
		name:   "18: a second change after Settled has a cause, and an ID, of its own",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.report(1, 1, Delivered{}); k.taken() },
		do:     reportingIt(Bounced{}),
		raised: []string{"1.1/bounced", "corrected.1.1/bounced"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 bounced over][sms  ]",
	},
	{
		name: "19: cancel what is not routed yet", do: canceling, want: true,
		raised: []string{"accepted", "canceled", "settled"},
	},
	{
		name: "19: cancel in the receipt window", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() }, do: canceling, want: true,
		raised: []string{"canceled", "settled"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "19: cancel after an answer was lost and given up", route: onDoubt,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, failure(VerdictUncertain)); k.taken() },
		do:     canceling, want: false,
		raised: []string{"canceled", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms ended canceled]",
	},
	{
		name: "19: cancel before the next call of an attempt in doubt", set: keyed,
		before: doubted, do: canceling, want: false,
		raised: []string{"canceled"},
		legs:   "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "19: cancel when every call was answered", route: All(EmailChannel, SMSChannel),
		before: func(k *desk) { k.routed(); k.begin(1); k.answer(1, 1, 1, nil); k.taken() },
		do:     canceling, want: true,
		raised: []string{"canceled", "settled"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 sent over][sms ended canceled]",
	},
	{
		name: "19: a mark for what nobody has sent yet, again",
		before: func(k *desk) {
			k.r = &record{Version: recordVersion, ID: "n1", Canceled: true, Deadline: k.now.Add(tombstoneFor)}
		},
		do: canceling, want: true,
	},
	{
		name:   "20: nothing is swept after Settled",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken(); k.after(day) }, do: sweeping, want: false,
		legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "20: a mark for what nobody has sent yet waits for nothing",
		before: func(k *desk) {
			k.r = &record{Version: recordVersion, ID: "n1", Canceled: true, Deadline: k.now.Add(tombstoneFor)}
			k.after(day)
		},
		do: sweeping, want: false,
	},
	{
		name:   "20: the work of a leg that has not begun is lost",
		before: func(k *desk) { k.routed().taken(); k.after(time.Minute) }, do: sweeping, want: true,
		work: []work{{Leg: 1, Ordinal: 1}},
		legs: "[email open ][sms  ]",
	},
	{
		name: "20: the work of the next ordinal is lost",
		before: func(k *desk) {
			intended(k)
			k.answer(1, 1, 1, failure(VerdictTemporary))
			k.taken()
			k.after(time.Minute)
		},
		do: sweeping, want: true,
		work: []work{{Leg: 1, Ordinal: 2}},
		legs: "[email open  mail granted 1 answered 1 refused 1 rejected_temporarily over][sms  ]",
	},
	{
		name:   "20: what is held is not overdue",
		before: func(k *desk) { k.r.Request.NotBefore = k.now.Add(time.Hour); k.routeOnce(); k.after(time.Minute) },
		do:     sweeping, want: false,
	},
	{
		name:   "20: what was held is overdue",
		before: func(k *desk) { k.r.Request.NotBefore = k.now.Add(time.Hour); k.routeOnce(); k.after(61 * time.Minute) },
		do:     sweeping, want: true,
		work: []work{{}},
	},
	{
		name:   "20: a live lease is not overdue",
		before: func(k *desk) { intended(k); k.after(10 * time.Second) }, do: sweeping, want: false,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "20: what does not move is stuck",
		before: func(k *desk) {
			k.routed().taken()
			for range stuckSweeps - 1 {
				k.after(time.Minute)
				k.apply(k.d.sweep(k.r, k.now))
				k.taken()
			}
			k.after(time.Minute)
		},
		do: sweeping, want: true,
		raised: []string{"stuck.7"},
		work:   []work{{Leg: 1, Ordinal: 1}},
		legs:   "[email open ][sms  ]",
	},
}

// 20: when the sweep looks: soon while something is unpublished, ever later
// while nothing moves, and never again once all is settled and published.
func TestDue(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel), 0, nil).routed()
	in := func() time.Duration { return k.d.due(k.r, k.now).Sub(k.now) }
	require.Equal(t, sweepGrace, in(), "unpublished")
	k.taken()
	require.Equal(t, sweepGrace, in(), "its work may be lost")
	for _, pause := range []time.Duration{sweepGrace, 2 * sweepGrace, 4 * sweepGrace, 8 * sweepGrace} {
		k.after(in())
		k.apply(k.d.sweep(k.r, k.now))
		k.taken()
		require.Equal(t, pause, in(), "it was swept, and did not move")
	}
	_, epoch := k.begin(1)
	k.taken()
	require.Equal(t, 15*time.Second+sweepGrace, in(), "its lease may expire")
	k.answer(1, 1, epoch, nil)
	require.Equal(t, sweepGrace, in(), "unpublished")
	k.taken()
	require.Zero(t, k.d.due(k.r, k.now))
}
