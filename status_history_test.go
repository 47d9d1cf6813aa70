package notify

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// history draws what happens to one notification. Its clocks are those of
// several processes: they order nothing.
type history struct {
	t      *rapid.T
	events []Event[any]
	legs   []Leg
	sent   []Attempt
}

func (h *history) raise(id string, data any) {
	at := time.Date(2026, 1, 1, 12, 0, len(h.events), 0, time.UTC)
	skew := rapid.IntRange(-8, 8).Draw(h.t, "skew")
	h.events = append(h.events, Event[any]{
		Envelope: Envelope{
			ID: id, NotificationID: "n1", RecipientID: "u1", Tenant: "t1", Category: "c1",
			Time: at.Add(time.Duration(skew) * time.Second),
		},
		Data: data,
	})
}

func (h *history) about(a Attempt, kind string, data any) {
	h.raise(fmt.Sprintf("%s-%d-%d", kind, a.Leg.Leg, a.Attempt), data)
}

func (h *history) chance(label string) bool { return rapid.IntRange(0, 4).Draw(h.t, label) == 4 }

func (h *history) pick(label string, among ...string) string {
	return rapid.SampledFrom(among).Draw(h.t, label)
}

// drawPipeline draws a history that the pipeline could raise, to its end and
// beyond.
func drawPipeline(t *rapid.T) []Event[any] {
	h := &history{t: t}
	h.raise("accepted", Accepted{})
	switch h.pick("beginning", "plan", "plan", "plan", "plan", "suppressed", "no route", "canceled", "expired") {
	case "suppressed":
		h.raise("suppressed", Suppressed{Guard: "consent", Reason: "none"})
	case "no route":
		h.raise("undeliverable", Undeliverable{Reason: UndeliverableNoRoute})
	case "canceled":
		h.raise("canceled", Canceled{})
	case "expired":
		h.raise("expired", Expired{})
	default:
		h.plan()
	}
	h.raise("settled", Settled{})
	for _, a := range h.sent {
		h.report(a, "late")
	}
	return h.events
}

func (h *history) plan() {
	channels := []Channel{PushChannel, EmailChannel, SMSChannel}
	for i := range rapid.IntRange(1, 3).Draw(h.t, "legs") {
		h.legs = append(h.legs, Leg{Leg: i + 1, Channel: channels[i]})
	}
	h.raise("routed", Routed{Legs: h.legs})
	all := h.chance("all")
	succeeded, doubted := false, false
	for i, leg := range h.legs {
		if i > 0 && h.chance("canceled") {
			h.raise("canceled", Canceled{InDoubt: doubted})
			return
		}
		if h.chance("expired") {
			h.raise("expired", Expired{})
			return
		}
		last, reason := h.leg(leg)
		succeeded = succeeded || reason == ""
		doubted = doubted || reason == EndInDoubt
		if !all && (reason == "" || reason == EndInDoubt) {
			return
		}
		if reason != "" && !all && i+1 < len(h.legs) {
			next := Attempt{Leg: h.legs[i+1]}
			h.about(last, "failed_over", FailedOver{From: last, To: next, Reason: reason})
		}
	}
	if !succeeded && !doubted {
		h.raise("undeliverable", Undeliverable{Reason: UndeliverableExhausted})
	}
}

// leg draws a leg to its end: its last attempt, and why it failed.
func (h *history) leg(leg Leg) (Attempt, EndReason) {
	if h.chance("unrenderable") {
		last := Attempt{Leg: leg}
		h.about(last, "failed", Failed{Attempt: last, Reason: EndUnrenderable})
		return last, EndUnrenderable
	}
	a := Attempt{Leg: leg, Attempt: 1, Provider: "a"}
	for {
		switch h.attempt(a) {
		case "sent":
			h.sent = append(h.sent, a)
			return h.receipt(a)
		case "unknown":
			return a, EndInDoubt
		case "temporary":
			if a.Attempt < 3 {
				a.Attempt++
				continue
			}
			return h.failed(a, EndExhausted)
		default:
			if a.Provider == "b" {
				return h.failed(a, EndRejected)
			}
			next := Attempt{Leg: leg, Provider: "b"}
			h.about(a, "failed_over", FailedOver{From: a, To: next, Reason: EndRejected})
			a = Attempt{Leg: leg, Attempt: a.Attempt + 1, Provider: "b"}
		}
	}
}

// attempt draws an attempt's calls, and what came of them.
func (h *history) attempt(a Attempt) string {
	lost := Failure{VerdictUncertain, ClassTimeout, ""}
	for call := 1; ; call++ {
		kind := fmt.Sprintf("call%d", call)
		h.about(a, "sending-"+kind, Sending{Attempt: a, Call: call})
		answer := h.pick("answer", "sent", "temporary", "permanent", "lost")
		switch {
		case answer == "lost" && call < 3:
			h.about(a, "retrying-"+kind, Retrying{Attempt: a, Failure: lost, Call: call, SameAttempt: true})
			continue
		case answer == "lost" || call > 1 && answer != "sent":
			h.about(a, "unknown", Unknown{Attempt: a, Failure: lost})
			return "unknown"
		case answer == "temporary":
			failure := Failure{VerdictTemporary, ClassService, "421"}
			h.about(a, "retrying-"+kind, Retrying{Attempt: a, Failure: failure, Call: call})
		case answer == "sent":
			if h.chance("reported before the answer was stored") {
				h.about(a, "before-delivered", Delivered{Attempt: a, MessageID: fmt.Sprint("m", a.Attempt)})
			}
			h.about(a, "sent", Sent{Attempt: a, MessageID: fmt.Sprint("m", a.Attempt)})
		}
		return answer
	}
}

// receipt draws what is reported before the leg ends.
func (h *history) receipt(a Attempt) (Attempt, EndReason) {
	switch h.report(a, "early") {
	case "undelivered":
		return h.failed(a, EndUndelivered)
	case "bounced":
		return h.failed(a, EndBounced)
	default:
		return a, ""
	}
}

func (h *history) failed(a Attempt, reason EndReason) (Attempt, EndReason) {
	h.about(a, "failed", Failed{Attempt: a, Reason: reason, Failure: Failure{VerdictPermanent, ClassOther, "5"}})
	return a, reason
}

func (h *history) report(a Attempt, when string) string {
	said := h.pick("report", "nothing", "delivered", "undelivered", "bounced", "opened")
	id := when + "-" + said
	switch said {
	case "delivered":
		h.about(a, id, Delivered{Attempt: a, MessageID: fmt.Sprint("m", a.Attempt)})
	case "undelivered":
		h.about(a, id, Undelivered{Attempt: a, Class: ClassPolicy})
	case "bounced":
		h.about(a, id, Bounced{Attempt: a, Class: ClassAddress, Code: when})
	case "opened":
		h.about(a, id, Opened{Engagement{Attempt: a}})
	}
	return said
}

// drawArbitrary draws events that fit together in no way: any order of any
// kind, one ID for different facts, and equal times.
func drawArbitrary(t *rapid.T) []Event[any] {
	return rapid.SliceOfN(rapid.Custom(drawEvent), 0, 24).Draw(t, "events")
}

func drawEvent(t *rapid.T) Event[any] {
	word := func(label string) string { return rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, label) }
	number := func(label string) int { return rapid.IntRange(0, 2).Draw(t, label) }
	leg := Leg{Leg: number("leg"), Channel: Channel(word("channel"))}
	attempt := Attempt{Leg: leg, Attempt: number("attempt"), Provider: word("provider")}
	failure := Failure{Verdict(word("verdict")), FailureClass(word("class")), word("code")}
	reason := rapid.SampledFrom([]EndReason{EndRejected, EndExhausted, EndBudget, EndBounced, EndInDoubt}).Draw(t, "reason")
	return Event[any]{
		Envelope: Envelope{
			ID: word("id"), NotificationID: "n1", RecipientID: word("recipient"), Tenant: word("tenant"),
			Time: time.Unix(int64(number("time")), 0),
		},
		Data: rapid.SampledFrom([]any{
			Accepted{},
			Routed{Legs: []Leg{leg, {Leg: 2, Channel: EmailChannel}}},
			Rendered{Leg: leg},
			Sending{Attempt: attempt, Call: number("call")},
			Sent{Attempt: attempt, MessageID: word("message")},
			Retrying{Attempt: attempt, Failure: failure, Call: number("call"), SameAttempt: rapid.Bool().Draw(t, "same")},
			FailedOver{From: attempt, To: Attempt{Leg: Leg{Leg: number("to")}}, Reason: reason, Failure: failure},
			Delivered{Attempt: attempt, MessageID: word("message")},
			Undelivered{Attempt: attempt, Class: failure.Class, Code: failure.Code},
			Bounced{Attempt: attempt, Class: failure.Class, Code: failure.Code},
			Failed{Attempt: attempt, Reason: reason, Failure: failure},
			Unknown{Attempt: attempt, Failure: failure},
			Undeliverable{Reason: UndeliverableExhausted},
			Suppressed{Leg: leg},
			Canceled{},
			Expired{Leg: leg},
			Settled{},
			Corrected{},
			Opened{Engagement{Attempt: attempt}},
			Raw("{}"),
		}).Draw(t, "data"),
	}
}
