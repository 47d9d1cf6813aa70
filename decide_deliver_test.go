package notify

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// others adds a second e-mail provider.
func others(k *desk) {
	k.d.policies[EmailChannel] = append(k.d.policies[EmailChannel], policyOf(EmailChannel, "mail-2", nil))
}

func failureOfClass(v Verdict, class FailureClass) *SendError {
	return &SendError{Verdict: v, Class: class, Code: "550"}
}

var deliverDecisions = []decision{
	{
		name:   "5: the leg has not started",
		before: func(k *desk) { k.routed().taken() },
		do:     func(_ *testing.T, k *desk) any { next, _ := k.deliver(2, 1); return next }, want: moveDone,
		legs: "[email open ][sms  ]",
	},
	{
		name:   "6: its channel has no time left",
		before: func(k *desk) { k.routed().taken(); k.after(6 * time.Hour) },
		do:     deliverFirst, want: moveDone,
		raised: []string{"1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended budget][sms open ]",
	},
	{
		name: "6: a guard delays it",
		before: func(k *desk) {
			intended(k)
			k.answer(1, 1, 1, failure(VerdictTemporary))
			k.taken()
			k.after(time.Minute)
		},
		do: func(_ *testing.T, k *desk) any {
			c := k.d.change(k.r, k.now)
			c.delay(1, Delayed{Until: k.now.Add(time.Hour), Reason: DelayGuard})
			k.apply(c)
			next, at := k.deliver(1, 2)
			return []any{next, at.Sub(k.now)}
		},
		want:   []any{movePutBack, time.Hour},
		raised: []string{"1/delayed.1"},
		work:   []work{{Leg: 1, Ordinal: 2}},
		legs:   "[email open  mail granted 1 answered 1 refused 1 rejected_temporarily over][sms  ]",
	},
	{
		name:   "6: a guard delays it beyond its end",
		before: func(k *desk) { k.routed().taken() },
		do: func(_ *testing.T, k *desk) any {
			c := k.d.change(k.r, k.now)
			c.delay(1, Delayed{Until: k.now.Add(7 * day), Reason: DelayGuard})
			k.apply(c)
			return k.r.leg(1).NextAt.Equal(k.r.Deadline)
		},
		want:   true,
		raised: []string{"1/delayed.1"},
		work:   []work{{Leg: 1, Ordinal: 1}},
		legs:   "[email open ][sms  ]",
	},
	{
		name: "6: the next provider takes over",
		before: func(k *desk) {
			others(k)
			intended(k)
			k.answer(1, 1, 1, failureOfClass(VerdictPermanent, ClassService))
			k.taken()
		},
		do: func(_ *testing.T, k *desk) any { _, epoch := k.begin(1); return epoch }, want: 1,
		raised: []string{"1.2/failed_over", "1.2/sending.1"},
		legs:   "[email open  mail granted 1 answered 1 refused 1 rejected_permanently over mail-2 granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name:   "6: another provider takes over from one that is not available",
		before: func(k *desk) { others(k); k.routed().taken() },
		do: func(_ *testing.T, k *desk) any {
			c := k.d.change(k.r, k.now)
			c.begin(1, k.d.policies[EmailChannel][1], &rendered{})
			k.apply(c)
			return nil
		},
		raised: []string{"1/rendered", "1.1/failed_over", "1.1/sending.1"},
		legs:   "[email open  mail-2 granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "8: lease expired, and it bounced",
		before: func(k *desk) {
			intended(k)
			k.report(1, 1, Bounced{})
			clear(k.busy)
			k.taken()
			k.after(time.Minute)
		},
		do: deliverFirst, want: moveDone,
		raised: []string{"1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended bounced mail granted 1 answered 0 refused 0 bounced over][sms open ]",
	},
	{
		name: "8: lease expired, sent by a provider that reports", set: func(p *providerPolicy) { keyed(p); reporting(p) },
		before: func(k *desk) {
			expired(k)
			k.repeat(1, 1)
			k.answer(1, 1, 1, nil)
			clear(k.busy)
			k.taken()
			k.after(time.Minute)
		},
		do: deliverFirst, want: moveDone,
		legs: "[email receipt  mail granted 2 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "8: lease expired, sent by a provider that reports, which this process does not know",
		set:  func(p *providerPolicy) { keyed(p); reporting(p) },
		before: func(k *desk) {
			expired(k)
			k.repeat(1, 1)
			k.answer(1, 1, 1, nil)
			clear(k.busy)
			k.taken()
			k.after(time.Minute)
			delete(k.d.policies, EmailChannel)
		},
		do: func(_ *testing.T, k *desk) any {
			next, _ := k.deliver(1, 1)
			return []any{next, k.r.leg(1).NextAt.Sub(k.now)}
		},
		want: []any{moveDone, 72 * time.Hour}, // the default
		legs: "[email receipt  mail granted 2 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "8: lease expired, sent by a provider that does not report, which this process does not know", set: keyed,
		before: func(k *desk) {
			expired(k)
			k.repeat(1, 1)
			k.answer(1, 1, 1, nil)
			clear(k.busy)
			k.taken()
			k.after(time.Minute)
			delete(k.d.policies, EmailChannel)
		},
		do: deliverFirst, want: moveDone,
		raised: []string{"settled"},
		legs:   "[email ended  mail granted 2 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "9: not before its time", set: keyed,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, failure(VerdictUncertain)); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			next, at := k.deliver(1, 1)
			return []any{next, at.Sub(k.now)}
		},
		want: []any{movePutBack, 2 * time.Second},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "9: the provider's time is over", set: func(p *providerPolicy) { keyed(p); p.Budget = 30 * time.Second },
		before: expired, do: deliverFirst, want: moveDone,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "9: its time is over", set: keyed,
		before: func(k *desk) { expired(k); k.after(23*time.Hour + 59*time.Minute) }, do: deliverFirst, want: moveDone,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name:   "9, 10: a provider that this process does not know is left to another",
		before: func(k *desk) { expired(k); delete(k.d.policies, EmailChannel) },
		do: func(_ *testing.T, k *desk) any {
			next, at := k.deliver(1, 1)
			return []any{next, at.Sub(k.now)}
		},
		want: []any{movePutBack, unknownProviderPause},
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "9, 10: repeated rather than asked", set: func(p *providerPolicy) { keyed(p); askable(p) },
		before: expired, do: deliverFirst, want: moveRepeat,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "10: asked, when canceled", set: func(p *providerPolicy) { keyed(p); askable(p) },
		before: func(k *desk) { expired(k); k.r.Canceled = true }, do: deliverFirst, want: moveAsk,
		legs: "[email open  mail granted 1 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "10: asked, while another execution holds it", set: func(p *providerPolicy) { keyed(p); askable(p) },
		before: func(k *desk) { expired(k); k.repeat(1, 1); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			return k.d.asked(k.r, 1, 1, &Receipt{MessageID: "m"}, time.Second, k.now) == nil
		},
		want: true,
		legs: "[email open  mail granted 2 answered 0 refused 0 intent][sms  ]",
	},
	{
		name: "10: asked, when it is over", set: askable,
		before: func(k *desk) { intended(k); k.answer(1, 1, 1, nil); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			return k.d.asked(k.r, 1, 1, nil, time.Second, k.now) == nil
		},
		want: true,
		legs: "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "12: the no of an older epoch is a fact", set: keyed,
		before: func(k *desk) { expired(k); k.repeat(1, 1); k.taken() },
		do: func(_ *testing.T, k *desk) any {
			again, _ := k.answer(1, 1, 1, failure(VerdictPermanent))
			return again
		},
		want: true,
		legs: "[email open  mail granted 2 answered 1 refused 1 intent][sms  ]",
	},
	{
		name: "13: the newest epoch's no, and an older one's yes", set: keyed,
		before: func(k *desk) { expired(k); k.repeat(1, 1); k.answer(1, 1, 1, nil); k.taken() },
		do:     answering(failure(VerdictPermanent)), want: false,
		raised: []string{"settled"},
		legs:   "[email ended  mail granted 2 answered 2 refused 1 sent over][sms  ]",
	},
	{
		name:   "13: answered yes, and it has bounced",
		before: func(k *desk) { intended(k); k.report(1, 1, Bounced{}); k.taken() },
		do:     answering(nil), want: false,
		raised: []string{"1.1/sent", "1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended bounced mail granted 1 answered 1 refused 0 bounced over][sms open ]",
	},
	{
		name:   "13: answered yes, and it is reported as undelivered",
		before: func(k *desk) { intended(k); k.report(1, 1, Undelivered{}); k.taken() },
		do:     answering(nil), want: false,
		raised: []string{"1.1/sent", "1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended undelivered mail granted 1 answered 1 refused 0 undelivered over][sms open ]",
	},
	{
		name: "13: answered yes, when canceled: no report is waited for", set: reporting,
		before: func(k *desk) { intended(k); k.r.Canceled = true }, do: answering(nil), want: false,
		raised: []string{"1.1/sent", "settled"},
		legs:   "[email ended  mail granted 1 answered 1 refused 0 sent over][sms  ]",
	},
	{
		name: "14: every epoch has answered no", set: keyed,
		before: func(k *desk) {
			expired(k)
			k.repeat(1, 1)
			k.answer(1, 1, 1, failure(VerdictTemporary))
			k.taken()
		},
		do: answering(failure(VerdictTemporary)), want: false,
		raised: []string{"1.1/retrying.2"},
		work:   []work{{Leg: 1, Ordinal: 2}},
		legs:   "[email open  mail granted 2 answered 2 refused 2 rejected_temporarily over][sms  ]",
	},
	{
		name:   "14: a permanent no of the service: the next provider",
		before: func(k *desk) { others(k); intended(k) },
		do:     answering(failureOfClass(VerdictPermanent, ClassService)), want: false,
		work: []work{{Leg: 1, Ordinal: 2}},
		legs: "[email open  mail granted 1 answered 1 refused 1 intent over][sms  ]",
	},
	{
		name:   "14: a permanent no to the message: no other provider",
		before: func(k *desk) { others(k); intended(k) },
		do:     answering(failureOfClass(VerdictPermanent, ClassContent)), want: false,
		raised: []string{"1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name:   "14: a permanent no to the address",
		before: intended, do: answering(failureOfClass(VerdictPermanent, ClassAddress)), want: false,
		raised: []string{"1.1/address_invalid", "1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended rejected mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name: "14: no time is left with this provider", set: func(p *providerPolicy) { p.Budget = 2 * time.Second },
		before: intended, do: answering(failure(VerdictTemporary)), want: false,
		raised: []string{"1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended budget mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name:   "14: no time is left before its end",
		before: func(k *desk) { k.r.Deadline = k.now.Add(2 * time.Second); intended(k) },
		do:     answering(failure(VerdictTemporary)), want: false,
		raised: []string{"1/failed", "2/failed_over"},
		work:   []work{{Leg: 2, Ordinal: 1}},
		legs:   "[email ended budget mail granted 1 answered 1 refused 1 rejected_permanently over][sms open ]",
	},
	{
		name:   "14, 19: a no, when canceled",
		before: func(k *desk) { others(k); intended(k); k.r.Canceled = true },
		do:     answering(failure(VerdictTemporary)), want: false,
		raised: []string{"settled"},
		legs:   "[email ended canceled mail granted 1 answered 1 refused 1 intent over][sms  ]",
	},
	{
		name: "15: neither asked nor repeated any more", set: func(p *providerPolicy) { keyed(p); p.Attempts = 1 },
		before: intended, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "15: not resent when canceled", set: func(p *providerPolicy) { p.ResendInDoubt = true },
		before: func(k *desk) { intended(k); k.r.Canceled = true }, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "15: not resent for ever", set: func(p *providerPolicy) { p.ResendInDoubt = true; p.Attempts = 1 },
		before: intended, do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
	{
		name: "15: never another provider in doubt", before: func(k *desk) { others(k); intended(k) },
		do: answering(failure(VerdictUncertain)), want: false,
		raised: []string{"1.1/unknown", "settled"},
		legs:   "[email ended in_doubt mail granted 1 answered 0 refused 0 unknown over][sms  ]",
	},
}

// 7 to 10: a lease whose owner died is as one that has expired.
func TestALeaseWhoseOwnerDied(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(*providerPolicy)
		want move
	}{
		{name: "repeated", set: keyed, want: moveRepeat},
		{name: "asked about", set: askable, want: moveAsk},
		{name: "in doubt", want: moveDone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(First(EmailChannel, SMSChannel), 0, c.set).routed()
			k.taken()
			alive := map[string]bool{"here": true}
			k.d.present = func(owner string) bool { return alive[owner] }
			ordinal, _ := k.begin(1)
			next, _ := k.deliver(1, ordinal)
			require.Equal(t, movePutBack, next)
			require.Nil(t, k.d.takeOver(k.r, k.now))
			require.Nil(t, k.d.asked(k.r, 1, ordinal, nil, 0, k.now))

			delete(alive, "here")
			clear(k.busy)
			k.apply(k.d.takeOver(k.r, k.now))
			work := k.taken()
			require.Len(t, work, 1)
			require.Equal(t, []int{1, ordinal}, []int{work[0].Leg, work[0].Ordinal})
			next, _ = k.deliver(1, ordinal)
			require.Equal(t, c.want, next)
			switch next {
			case moveRepeat:
				alive["here"] = true // another one, of that name here
				epoch := k.repeat(1, ordinal)
				require.Equal(t, 2, epoch)
				next, _ = k.deliver(1, ordinal)
				require.Equal(t, movePutBack, next)
			case moveAsk:
				k.apply(k.d.asked(k.r, 1, ordinal, &Receipt{}, 0, k.now))
				require.Equal(t, StateSent, k.r.state())
			default:
				require.Equal(t, EndInDoubt, k.r.leg(1).Reason)
			}
			k.sound(t)
		})
	}
}
