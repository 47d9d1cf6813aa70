package timelinetest

import (
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
)

// began is when the first notification of a check is accepted: with more
// digits than most databases keep.
var began = time.Date(2026, 3, 14, 9, 26, 53, 589793238, time.UTC)

// history makes the events of one notification.
type history struct {
	about  notify.Envelope
	events []notify.Event[any]
}

func newHistory(id string, at time.Time) *history {
	return &history{about: notify.Envelope{
		Source: "/shop/notify", NotificationID: id, RecipientID: "u_1", Tenant: "shop", Category: "shipping",
		Labels: map[string]string{"order": "A-1017", "shop": "Graz <1>"},
		Time:   at, Seen: at.Add(time.Millisecond),
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}}
}

// after adds an event some time after the one before.
func (h *history) after(pause time.Duration, name string, data any) *history {
	h.about.Time, h.about.Seen = h.about.Time.Add(pause), h.about.Seen.Add(pause)
	e := notify.Event[any]{Envelope: h.about, Data: data}
	e.ID = fmt.Sprintf("%s/%d/%s", h.about.NotificationID, len(h.events), name)
	e.Type = "notify." + name + ".v1"
	h.events = append(h.events, e)
	return h
}

var (
	push  = notify.Leg{Leg: 1, Channel: notify.PushChannel}
	email = notify.Leg{Leg: 2, Channel: notify.EmailChannel}
	fcm   = notify.Attempt{Leg: push, Attempt: 1, Provider: "fcm"}
	smtp  = notify.Attempt{Leg: email, Attempt: 1, Provider: "smtp"}
	gone  = notify.Failure{Verdict: notify.VerdictPermanent, Class: notify.ClassAddress, Code: "UNREGISTERED"}
)

func accepted(id string, at time.Time) *history {
	return newHistory(id, at).after(0, "accepted", notify.Accepted{
		Route: notify.First(notify.PushChannel, notify.EmailChannel), Template: "shipped", ExpiresAt: began.Add(time.Hour),
	})
}

// canceled is a short history to its end.
func canceled(id string, at time.Time) *history {
	return accepted(id, at).
		after(time.Second, "canceled", notify.Canceled{}).
		after(0, "settled", notify.Settled{State: notify.StateCanceled, Elapsed: 1})
}

// full is a history with a failover, and with reports after its end.
func full(id string, at time.Time) *history {
	return accepted(id, at).
		after(0, "routed", notify.Routed{
			Plan: notify.First(notify.PushChannel, notify.EmailChannel), Legs: []notify.Leg{push, email},
			Rejected: []notify.Rejected{{Channel: notify.SMSChannel, Reason: notify.RejectNoAddress}},
		}).
		after(time.Millisecond, "rendered", notify.Rendered{Leg: push, Template: "shipped", Locale: "de-AT", Bytes: 120}).
		after(time.Millisecond, "sending", notify.Sending{Attempt: fcm, Call: 1}).
		after(40*time.Millisecond, "retrying", notify.Retrying{
			Attempt: fcm, Call: 1, SameAttempt: true, NextAt: at.Add(time.Second),
			Failure: notify.Failure{Verdict: notify.VerdictUncertain, Class: notify.ClassTimeout},
		}).
		after(time.Second, "sending", notify.Sending{Attempt: fcm, Call: 2}).
		after(time.Millisecond, "failed", notify.Failed{Attempt: fcm, Reason: notify.EndRejected, Failure: gone}).
		after(0, "failed_over", notify.FailedOver{
			From: fcm, To: notify.Attempt{Leg: email}, Reason: notify.EndRejected, Failure: gone,
		}).
		after(0, "sending", notify.Sending{Attempt: smtp, Call: 1}).
		after(70*time.Millisecond, "sent", notify.Sent{
			Attempt: smtp, MessageID: "0102018f3c2a-7d1e", Code: "250 2.0.0", Cost: notify.Cost{Micros: 95, Currency: "EUR"},
		}).
		after(3*time.Second, "delivered", notify.Delivered{Attempt: smtp, MessageID: "0102018f3c2a-7d1e"}).
		after(0, "settled", notify.Settled{State: notify.StateDelivered, Attempts: 2, Calls: 3, Elapsed: 4.113}).
		after(time.Minute, "opened", notify.Opened{Engagement: notify.Engagement{Attempt: smtp, Machine: true}}).
		after(time.Hour, "bounced", notify.Bounced{Attempt: smtp, Class: notify.ClassAddress, Code: "5.1.1"}).
		after(0, "corrected", notify.Corrected{From: notify.StateDelivered, To: notify.StateBounced, Cause: id + "/13/bounced"})
}
