package notify

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The decisions one by one, under the numbers of the protocol's moves.

// decision is one decision on a record that is in a certain state. The route is
// First(email, sms) unless another is set, and the time after an intent's write
// one second.
type decision struct {
	name  string
	route Route
	set   func(*providerPolicy) // of the e-mail provider
	// before makes the state, and do the decision; do returns what it answers.
	before func(k *desk)
	do     func(t *testing.T, k *desk) any
	want   any
	// raised are the events of the decision, work the items that it puts out.
	raised []string
	work   []work
	legs   string
}

// intended is a record with an open intent under a live lease.
func intended(k *desk) {
	k.routed().begin(1)
	k.taken()
	k.after(time.Second)
}

// expired is a record with an open intent whose lease has expired.
func expired(k *desk) {
	intended(k)
	clear(k.busy)
	k.after(time.Minute)
}

// doubted is a record whose lost answer is decided on, and whose next call is
// due.
func doubted(k *desk) {
	intended(k)
	k.answer(1, 1, 1, failure(VerdictUncertain))
	k.taken()
	k.after(10 * time.Second)
}

func resendingAndReporting(p *providerPolicy) {
	p.ResendInDoubt = true
	reporting(p)
}

func deliverFirst(_ *testing.T, k *desk) any {
	next, _ := k.deliver(1, 1)
	return next
}

func answering(err *SendError) func(*testing.T, *desk) any {
	return func(_ *testing.T, k *desk) any {
		again, _ := k.answer(1, 1, k.r.leg(1).attempt(1).Granted, err)
		return again
	}
}

func reportingIt(event any) func(*testing.T, *desk) any {
	return func(_ *testing.T, k *desk) any {
		k.report(1, 1, event)
		return nil
	}
}

func canceling(t *testing.T, k *desk) any { return k.cancel(t) }

func sweeping(_ *testing.T, k *desk) any {
	c := k.d.sweep(k.r, k.now)
	if c != nil {
		k.apply(c)
	}
	return c != nil
}

var decisions = []decision{
	{
		name: "4: plan, and start the first legs",
		do:   func(_ *testing.T, k *desk) any { k.routed(); return nil },

		raised: []string{"accepted", "routed"}, work: []work{{Leg: 1, Ordinal: 1}}, legs: "[email open ][sms  ]",
	},
	{
		name:   "4: routed already",
		before: func(k *desk) { k.routed().taken() },
		do: func(_ *testing.T, k *desk) any {
			c, next := k.d.route(k.r, k.now)
			return c == nil && next == routeDone
		},
		want: true, legs: "[email open ][sms  ]",
	},
	{
		name:   "4, 19: canceled before it is routed",
		before: func(k *desk) { k.r.Canceled = true },
		do:     func(_ *testing.T, k *desk) any { c, next := k.d.route(k.r, k.now); k.apply(c); return next },
		want:   routeDone, raised: []string{"accepted", "canceled", "settled"},
	},
	{
		name:   "4: its time is over",
		before: func(k *desk) { k.after(day) },
		do:     func(_ *testing.T, k *desk) any { c, next := k.d.route(k.r, k.now); k.apply(c); return next },
		want:   routeDone, raised: []string{"accepted", "expired", "settled"},
	},
	{
		name:   "4: it is for later",
		before: func(k *desk) { k.r.Request.NotBefore = k.now.Add(time.Hour) },
		do:     func(_ *testing.T, k *desk) any { c, next := k.d.route(k.r, k.now); k.apply(c); return next },
		want:   routeDone, raised: []string{"accepted", "delayed.1"}, work: []work{{}},
	},
	{
		name: "5: beyond this ordinal",
		before: func(k *desk) {
			intended(k)
			k.answer(1, 1, 1, failure(VerdictTemporary))
			k.taken()
			k.after(time.Minute)
		},
		do: deliverFirst, want: moveDone,
		legs: "[email open  mail granted 1 answered 1 refused 1 rejected_temporarily over][sms  ]",
	},
	{
		name:   "5: the leg has ended",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do:     deliverFirst, want: moveDone,
		legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name:   "6: begin",
		before: func(k *desk) { k.routed().taken() },
		do:     deliverFirst, want: moveBegin, legs: "[email open ][sms  ]",
	},
	{
		name:   "6: grant epoch 1 and store the intent",
		before: func(k *desk) { k.routed().taken() },
		do:     func(_ *testing.T, k *desk) any { _, epoch := k.begin(1); return epoch },
		want:   1, raised: []string{"1/rendered", "1.1/sending.1"},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name:   "6: not before its time",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, failure(VerdictTemporary)); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			next, at := k.deliver(1, 2)
			return []any{next, at.Sub(k.now)}
		},
		want: []any{movePutBack, 2 * time.Second},
		legs: "[email open  mail granted 1 answered 1 refused 1 rejected_temporarily over][sms  ]",
	},
	{
		name:   "6: its time is over",
		before: func(k *desk) { k.routed().taken(); k.after(day) },
		do:     deliverFirst, want: moveDone,
		raised: []string{"1/expired", "2/failed_over"}, work: []work{{Leg: 2, Ordinal: 1}},
		legs: "[email ended expired][sms open ]",
	},
	{
		name: "6: what was in doubt, and is reported to have arrived, is not sent again",
		set:  func(p *providerPolicy) { p.ResendInDoubt = true },
		before: func(k *desk) {
			intended(k)
			k.answer(1, 1, 1, failure(VerdictUncertain))
			k.report(1, 1, Delivered{})
			k.taken()
		},
		do: func(_ *testing.T, k *desk) any { next, _ := k.deliver(1, 2); return next }, want: moveDone,
		raised: []string{"settled"},
		legs:   "[email ended  mail granted 1 answered 0 refused 0 delivered over][sms  ]",
	},
	{
		name: "6: what was in doubt, and is answered yes late, waits for its report", set: resendingAndReporting,
		before: func(k *desk) {
			expired(k)
			k.deliver(1, 1)
			k.answer(1, 1, 1, nil)
			k.taken()
		},
		do: func(_ *testing.T, k *desk) any { next, _ := k.deliver(1, 2); return next }, want: moveDone,
		legs: "[email receipt  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name:   "7: a live lease, though its own",
		before: intended,
		do: func(_ *testing.T, k *desk) any {
			next, at := k.deliver(1, 1)
			return []any{next, at.Sub(k.now)}
		},
		want: []any{movePutBack, 14 * time.Second},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "8: lease expired, sent or better",
		before: func(k *desk) {
			intended(k)
			k.report(1, 1, Delivered{})
			clear(k.busy)
			k.taken()
			k.after(time.Minute)
		},
		do: deliverFirst, want: moveDone, raised: []string{"settled"},
		legs: "[email ended  mail granted 1 answered 0 refused 0 delivered over][sms  ]",
	},
	{
		name: "9: lease expired, within the key's window", set: keyed,
		before: expired, do: deliverFirst, want: moveRepeat,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "9: the next epoch", set: keyed,
		before: expired, do: func(_ *testing.T, k *desk) any { return k.repeat(1, 1) }, want: 2,
		raised: []string{"1.1/sending.2"}, legs: "[email open  mail granted 2 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "9: the window ends within the lease", set: func(p *providerPolicy) { p.KeyWindow = 70 * time.Second },
		before: expired, do: deliverFirst, want: moveDone, raised: []string{"1.1/unknown", "settled"},
		legs: "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "9: no calls are left", set: func(p *providerPolicy) { keyed(p); p.Attempts = 1 },
		before: expired, do: deliverFirst, want: moveDone, raised: []string{"1.1/unknown", "settled"},
		legs: "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "9, 19: canceled", set: keyed,
		before: func(k *desk) { expired(k); k.r.Canceled = true }, do: deliverFirst, want: moveDone,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "10: ask", set: askable,
		before: expired, do: deliverFirst, want: moveAsk,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "10: asked, and found", set: askable, before: expired,
		do: func(_ *testing.T, k *desk) any {
			k.apply(k.d.asked(k.r, 1, 1, &Receipt{MessageID: "m"}, time.Second, k.now))
			return nil
		},
		raised: []string{"1.1/sent", "settled"},
		legs:   "[email ended  mail granted 1 answered 0 refused 0 sent over][sms  ]",
	},
	{
		name: "10: asked, and not found, which proves nothing", set: askable, before: expired,
		do: func(_ *testing.T, k *desk) any {
			k.apply(k.d.asked(k.r, 1, 1, nil, time.Second, k.now))
			return nil
		},
		work: []work{{Leg: 1, Ordinal: 1}}, legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "10: neither repeated nor asked", before: expired, do: deliverFirst, want: moveDone,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "11: answered yes", before: intended, do: answering(nil), want: false,
		raised: []string{"1.1/sent", "settled"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "11, 16: answered yes by a provider that reports", set: reporting,
		before: intended, do: answering(nil), want: false, raised: []string{"1.1/sent"},
		legs: "[email receipt  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "12: the answer of an older epoch is a fact", set: keyed,
		before: func(k *desk) { expired(k); k.repeat(1, 1); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			again, at := k.answer(1, 1, 1, nil)
			return []any{again, at.Sub(k.now)}
		},
		want: []any{true, 15 * time.Second}, raised: []string{"1.1/sent"},
		legs: "[email open  mail granted 2 answered 1 refused 0 sent][sms  ]",
	},
	{
		name:   "12: an answer after the ordinal is over is a fact",
		before: func(k *desk) { expired(k); k.deliver(1, 1); k.taken() },
		do:     answering(nil), want: false, raised: []string{"1.1/sent", "corrected.1.1/sent"},
		legs: "[email ended in_doubt mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "12: an answer that was decided on, and comes again", set: keyed,
		before: doubted, do: answering(failure(VerdictUncertain)), want: false,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name:   "13: all evidence counts, not only one's own answer",
		before: func(k *desk) { intended(k); k.report(1, 1, Delivered{}); k.taken() },
		do:     answering(failure(VerdictUncertain)), want: false, raised: []string{"settled"},
		legs: "[email ended  mail granted 1 answered 0 refused 0 delivered over][sms  ]",
	},
	{
		name: "14: a temporary no: the next ordinal", before: intended, do: answering(failure(VerdictTemporary)), want: false,
		raised: []string{"1.1/retrying.1"}, work: []work{{Leg: 1, Ordinal: 2}},
		legs: "[email open  mail granted 1 answered 1 refused 1 rejected_temporarily over][sms  ]",
	},
	{
		name: "14, 17: a permanent no: the leg's end", before: intended, do: answering(failure(VerdictPermanent)), want: false,
		raised: []string{"1/failed", "2/failed_over"}, work: []work{{Leg: 2, Ordinal: 1}},
		legs: "[email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name: "14: no attempts are left", set: func(p *providerPolicy) { p.Attempts = 1 },
		before: intended, do: answering(failure(VerdictTemporary)), want: false,
		raised: []string{"1/failed", "2/failed_over"}, work: []work{{Leg: 2, Ordinal: 1}},
		legs: "[email ended exhausted mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name: "14: a permanent no that the provider replays",
		set:  func(p *providerPolicy) { keyed(p); p.ReplaysFailures = true },
		before: func(k *desk) {
			doubted(k)
			k.repeat(1, 1)
			k.taken()
		},
		do: answering(failure(VerdictPermanent)), want: false,
		raised: []string{"1/failed", "2/failed_over"}, work: []work{{Leg: 2, Ordinal: 1}},
		legs: "[email ended rejected mail granted 2 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name: "15: a lost answer, as 9", set: keyed, before: intended, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/retrying.1"}, work: []work{{Leg: 1, Ordinal: 1}},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "15: a lost answer, as 10", set: askable, before: intended, do: answering(failure(VerdictUncertain)), want: false,
		work: []work{{Leg: 1, Ordinal: 1}}, legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "15: a lost answer, and nothing to be done", before: intended, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "15: a temporary no to a repeat: the same ordinal", set: keyed,
		before: func(k *desk) { doubted(k); k.repeat(1, 1); k.taken() },
		do:     answering(failure(VerdictTemporary)), want: false,
		raised: []string{"1.1/retrying.2"}, work: []work{{Leg: 1, Ordinal: 1}},
		legs: "[email open  mail granted 2 answered 1 refused 1 intent][sms  ]",
	},
	{
		name: "15: a permanent no to a repeat: Unknown", set: keyed,
		before: func(k *desk) { doubted(k); k.repeat(1, 1); k.taken() },
		do:     answering(failure(VerdictPermanent)), want: false, raised: []string{"1.1/unknown", "settled"},
		legs: "[email ended in_doubt mail granted 2 answered 1 refused 1 unknown over][sms  ]",
	},
	{
		name:   "15: resent in doubt, where that is chosen",
		set:    func(p *providerPolicy) { p.ResendInDoubt = true },
		before: intended, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown"}, work: []work{{Leg: 1, Ordinal: 2}},
		legs: "[email open  mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "17: a leg with an attempt in doubt has not failed",
		set:  func(p *providerPolicy) { p.ResendInDoubt = true },
		before: func(k *desk) {
			k.resend = true
			intended(k)
			k.answer(1, 1, 1, failure(VerdictUncertain))
			k.begin(1)
			k.taken()
		},
		do: func(_ *testing.T, k *desk) any {
			again, _ := k.answer(1, 2, 1, failure(VerdictPermanent))
			return again
		},
		want: false, raised: []string{"settled"},
		legs: "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over mail granted 1 answered 1 refused 1 intent over][sms  ]",
	},
	{
		name: "16: a report on an open intent is evidence and no more", before: intended, do: reportingIt(Bounced{}),
		raised: []string{"1.1/bounced"}, legs: "[email open  mail granted 1 answered 0 refused 0 bounced][sms  ]",
	},
	{
		name: "16: delivered in the window", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() }, do: reportingIt(Delivered{}),
		raised: []string{"1.1/delivered", "settled"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 delivered over][sms  ]",
	},
	{
		name: "16, 17: a bounce in the window fails over", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() }, do: reportingIt(Bounced{}),
		raised: []string{"1.1/bounced", "1/failed", "2/failed_over", "corrected.1.1/bounced"}, work: []work{{Leg: 2, Ordinal: 1}},
		legs: "[email ended bounced mail granted 1 answered 1 refused 0 bounced over][sms open ]",
	},
	{
		name: "16: the same report again", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.report(1, 1, Delivered{}); k.taken() },
		do:     reportingIt(Delivered{}), legs: "[email ended  mail granted 1 answered 1 refused 0 delivered over][sms  ]",
	},
	{
		name:   "17: a bounce after Settled starts nothing",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() }, do: reportingIt(Bounced{}),
		raised: []string{"1.1/bounced", "corrected.1.1/bounced"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 bounced over][sms  ]",
	},
	{
		name:   "18: a change for the better after Settled is corrected too",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() }, do: reportingIt(Delivered{}),
		raised: []string{"1.1/delivered", "corrected.1.1/delivered"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 delivered over][sms  ]",
	},
	{
		name:   "18: engagement changes nothing",
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			k.report(1, 1, Opened{})
			return k.r.state()
		},
		want: StateSent, raised: []string{"1.1/opened.P3am7vGnVigHyGNG.ugbunL0aerS9"},
		legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "19: cancel what waits", before: func(k *desk) { k.routed().taken() }, do: canceling, want: true,
		raised: []string{"canceled", "settled"}, legs: "[email ended canceled][sms  ]",
	},
	{
		name: "19: cancel between two calls",
		before: func(k *desk) {
			intended(k)
			k.answer(1, 1, 1, failure(VerdictTemporary))
			k.taken()
		},
		do: canceling, want: true, raised: []string{"canceled", "settled"},
		legs: "[email ended canceled mail granted 1 answered 1 refused 1 rejected_temporarily over][sms  ]",
	},
	{
		name: "19: cancel in a call", before: intended, do: canceling, want: false, raised: []string{"canceled"},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "19: cancel when a lease has expired", before: expired, do: canceling, want: false, raised: []string{"canceled"},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name:   "19: cancel again",
		before: func(k *desk) { intended(k); k.r.Canceled = true }, do: canceling, want: false,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "19: no leg begins after it", before: func(k *desk) { intended(k); k.r.Canceled = true },
		do: answering(failure(VerdictPermanent)), want: false, raised: []string{"settled"},
		legs: "[email ended canceled mail granted 1 answered 1 refused 1 intent over][sms  ]",
	},
	{
		name: "19: too late", before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do:   func(_ *testing.T, k *desk) any { _, _, err := k.d.cancel(k.r, k.now); return err },
		want: ErrTooLate, legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "20: nothing is overdue", before: intended, do: sweeping, want: false,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "20: an open intent is overdue", before: expired, do: sweeping, want: true, work: []work{{Leg: 1, Ordinal: 1}},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "20: route work is overdue", before: func(k *desk) { k.after(time.Minute) }, do: sweeping, want: true, work: []work{{}},
	},
	{
		name: "20: the receipt window is over", set: reporting,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken(); k.after(time.Minute) },
		do:     sweeping, want: true, raised: []string{"settled"},
		legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	for _, d := range slices.Concat(decisions, routeDecisions, deliverDecisions, factDecisions) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			route := d.route
			if route.IsZero() {
				route = First(EmailChannel, SMSChannel)
			}
			k := newDesk(route, 0, d.set)
			if d.before != nil {
				d.before(k)
			}
			before := k.r.Seq
			got := d.do(t, k)
			require.Equal(t, d.want, got)
			require.Equal(t, d.raised, k.raised(before))
			require.Equal(t, d.legs, describeLegs(k.r))
			var put []work
			for _, w := range k.taken() {
				put = append(put, work{Leg: w.Leg, Ordinal: w.Ordinal})
			}
			require.Equal(t, d.work, put)
			k.sound(t)
		})
	}
}

// 10: a provider that never finds it is asked a few times, and then given up.
func TestAskingEnds(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel, SMSChannel), 0, askable)
	expired(k)
	for n := 1; n <= maxAsks; n++ {
		require.Equal(t, legOpen, k.r.leg(1).State)
		k.apply(k.d.asked(k.r, 1, 1, nil, time.Second, k.now))
		k.after(2 * time.Second)
	}
	require.Equal(t, EndInDoubt, k.r.leg(1).Reason)
	k.sound(t)
}

// Settled says what it settles with, also when that follows from it.
func TestSettledSaysItsState(t *testing.T) {
	t.Parallel()
	k := newDesk(All(EmailChannel, SMSChannel), 0, nil).routed()
	ordinal, epoch := k.begin(1)
	k.answer(1, ordinal, epoch, nil)
	k.report(1, ordinal, Bounced{})
	ordinal, epoch = k.begin(2)
	k.answer(2, ordinal, epoch, failure(VerdictPermanent))
	require.Equal(t, StateBounced, k.r.state())
	require.Equal(t, StateBounced, k.events["n1/settled"].data.(Settled).State)
	k.sound(t)
}

// What is reported to have arrived is no reason to go on, although its leg
// ended in doubt.
func TestDoubtThatIsResolved(t *testing.T) {
	t.Parallel()
	k := newDesk(First(All(EmailChannel, PushChannel), SMSChannel).OnDoubt(), 0, nil).routed()
	ordinal, epoch := k.begin(1)
	k.answer(1, ordinal, epoch, failure(VerdictUncertain))
	k.report(1, ordinal, Delivered{})
	ordinal, epoch = k.begin(2)
	k.answer(2, ordinal, epoch, failure(VerdictPermanent))
	require.True(t, k.r.settled())
	require.Equal(t, legWaiting, k.r.leg(3).State)
	k.sound(t)
}

// 2: a record's outbox goes out in order, work too, and what is for later on a
// backend without delays is the sweep's.
func TestDueOfWorkForLater(t *testing.T) {
	t.Parallel()
	k := newDesk(First(EmailChannel, SMSChannel), 0, nil)
	k.d.delays = false
	k.r.Request.NotBefore = k.now.Add(time.Hour)
	c, _ := k.d.route(k.r, k.now)
	k.apply(c)
	require.True(t, k.d.due(k.r, k.now).Before(k.r.Request.NotBefore), "the outbox is due first")
	k.taken()
	require.Equal(t, k.r.Request.NotBefore, k.d.due(k.r, k.now))
}
