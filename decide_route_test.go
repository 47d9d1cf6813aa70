package notify

import (
	"testing"
	"time"
)

// routeStep makes the route step's decision, up to what the guards and the
// directory are asked for.
func routeStep(complete func(c *change)) func(*testing.T, *desk) any {
	return func(_ *testing.T, k *desk) any {
		c, next := k.d.route(k.r, k.now)
		if next == routeToPlan {
			complete(c)
		}
		if c != nil {
			k.apply(c)
		}
		return next
	}
}

var routeDecisions = []decision{
	{
		name: "4: a guard holds it",
		do: routeStep(func(c *change) {
			c.hold(c.now.Add(time.Hour), Delayed{Until: c.now.Add(time.Hour), Reason: DelayGuard})
		}),
		want:   routeToPlan,
		raised: []string{"accepted", "delayed.1"},
		work:   []work{{}},
	},
	{
		name: "4: it is held, and its time has not come",
		before: func(k *desk) {
			k.r.Request.NotBefore = k.now.Add(time.Hour)
			k.routeOnce()
			k.after(time.Minute)
		},
		do: routeStep(nil), want: routeWait,
	},
	{
		name: "4: it is held, and its time has come",
		before: func(k *desk) {
			k.r.Request.NotBefore = k.now.Add(time.Hour)
			k.routeOnce()
			k.after(time.Hour)
		},
		do:     func(_ *testing.T, k *desk) any { k.routed(); return nil },
		raised: []string{"routed"},
		work:   []work{{Leg: 1, Ordinal: 1}},
		legs:   "[email open ][sms  ]",
	},
	{
		name:   "4, 19: it is held, and was canceled",
		before: func(k *desk) { k.r.Request.NotBefore = k.now.Add(time.Hour); k.routeOnce() },
		do:     canceling, want: true,
		raised: []string{"canceled", "settled"},
	},
	{
		name: "4: nobody waits beyond its end",
		do: func(_ *testing.T, k *desk) any {
			c, _ := k.d.route(k.r, k.now)
			c.hold(k.now.Add(7*day), Delayed{Reason: DelayGuard})
			k.apply(c)
			return k.r.HoldUntil.Equal(k.r.Deadline)
		},
		want:   true,
		raised: []string{"accepted", "delayed.1"},
		work:   []work{{}},
	},
	{
		name: "4: a guard refuses it",
		do:   routeStep(func(c *change) { c.suppress("limits", "enough") }), want: routeToPlan,
		raised: []string{"accepted", "suppressed", "settled"},
	},
	{
		name: "4: nobody knows its recipient",
		do:   routeStep(func(c *change) { c.unknownRecipient() }), want: routeToPlan,
		raised: []string{"accepted", "undeliverable", "settled"},
	},
	{
		name: "4: none of its channels can be used",
		do: routeStep(func(c *change) {
			c.plan(makePlan(c.Request.Route, func(Channel) RejectReason { return RejectNoAddress }), nil)
		}),
		want:   routeToPlan,
		raised: []string{"accepted", "undeliverable", "settled"},
	},
	{
		name: "4: only what can be used is planned",
		do: routeStep(func(c *change) {
			c.plan(makePlan(c.Request.Route, func(channel Channel) RejectReason {
				if channel == EmailChannel {
					return RejectNoAddress
				}
				return ""
			}), func(Channel) string { return "hash" })
		}),
		want:   routeToPlan,
		raised: []string{"accepted", "routed"},
		work:   []work{{Leg: 1, Ordinal: 1}},
		legs:   "[sms open ]",
	},
	{
		name: "4: All starts every leg", route: All(EmailChannel, SMSChannel),
		do:     func(_ *testing.T, k *desk) any { k.routed(); return nil },
		raised: []string{"accepted", "routed"},
		work:   []work{{Leg: 1, Ordinal: 1}, {Leg: 2, Ordinal: 1}},
		legs:   "[email open ][sms open ]",
	},
	{
		name: "4: All inside First starts its legs", route: First(All(PushChannel, EmailChannel), SMSChannel),
		do:     func(_ *testing.T, k *desk) any { k.routed(); return nil },
		raised: []string{"accepted", "routed"},
		work:   []work{{Leg: 1, Ordinal: 1}, {Leg: 2, Ordinal: 1}},
		legs:   "[push open ][email open ][sms  ]",
	},
	{
		name: "4: First inside All starts the first of each", route: All(First(EmailChannel, SMSChannel), First(PushChannel, ChatChannel)),
		do:     func(_ *testing.T, k *desk) any { k.routed(); return nil },
		raised: []string{"accepted", "routed"},
		work:   []work{{Leg: 1, Ordinal: 1}, {Leg: 3, Ordinal: 1}},
		legs:   "[email open ][sms  ][push open ][chat  ]",
	},
}
