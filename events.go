package notify

import "time"

// This file is the vocabulary: one struct per lifecycle event, with when it
// fires and who raises it. "The route step" and the like are the pipeline's
// steps, and each of their events is stored before it is published: a redone
// step publishes the same event with the same ID. Engagement is in
// events_engagement.go, the machinery's own events in events_machinery.go.
//
// On the wire an event's type is "notify." + its name in snake case + ".v1".
// Fields are only ever added.

// Leg names a leg of a notification: the part of its plan that uses one
// channel. Legs count from 1; Leg 0 is the notification as a whole.
type Leg struct {
	Leg     int     `json:"leg,omitempty"`
	Channel Channel `json:"channel,omitempty"`
}

// LegRef returns the leg. It makes the events about a leg a family that
// [On] can select: interface{ LegRef() Leg }.
func (l Leg) LegRef() Leg { return l }

// Attempt names an attempt of a leg: one message to one provider under one
// key. Attempts count from 1. An attempt may take several calls.
type Attempt struct {
	Leg
	Attempt  int    `json:"attempt"`
	Provider string `json:"provider"`
}

// AttemptRef returns the attempt. It makes the events about an attempt a
// family that [On] can select: interface{ AttemptRef() Attempt }.
func (a Attempt) AttemptRef() Attempt { return a }

// Accepted fires once for every notification: the route step has taken it up.
type Accepted struct {
	// Route is what was asked for, before the plan; NotBefore and ExpiresAt its
	// schedule, of which zero says none.
	Route     Route     `json:"route,omitzero"`
	Template  string    `json:"template,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Urgent    bool      `json:"urgent,omitempty"`
}

// Delayed fires when the notification, or one leg of it, has to wait: the
// route step raises it for a schedule, and either step for a guard.
type Delayed struct {
	Leg
	Until  time.Time   `json:"until"`
	Reason DelayReason `json:"reason"`
	// Guard names the guard, and GuardReason is its own reason.
	Guard       string `json:"guard,omitempty"`
	GuardReason string `json:"guard_reason,omitempty"`
}

// Routed fires when the route step has made the plan. There is one plan per
// notification.
type Routed struct {
	// Plan is the route with the legs that were rejected taken out.
	Plan     Route      `json:"plan"`
	Legs     []Leg      `json:"legs"`
	Rejected []Rejected `json:"rejected,omitempty"`
}

// Rejected is a channel that a plan leaves out.
type Rejected struct {
	Channel Channel      `json:"channel"`
	Reason  RejectReason `json:"reason"`
}

// Rendered fires when a leg's message has been made; the deliver step raises it
// once for each leg.
type Rendered struct {
	Leg
	Template string `json:"template,omitempty"`
	// Locale is the locale of the template that was found, or empty.
	Locale string `json:"locale,omitempty"`
	// Bytes is the size of the message.
	Bytes int `json:"bytes"`
}

// Sending fires when the intent to call the provider is stored, and the call
// is next. The deliver step raises it once for each call.
type Sending struct {
	Attempt
	// Call counts the calls of the attempt, from 1.
	Call int `json:"call"`
}

// Sent fires when a provider took the message: once for each attempt.
type Sent struct {
	Attempt
	// MessageID is the provider's own name for the message, and Code its code.
	MessageID string `json:"message_id,omitempty"`
	Code      string `json:"code,omitempty"`
	Cost      Cost   `json:"cost,omitzero"`
	// Country is the recipient's, as ISO 3166-1 alpha-2 writes it, and Segments
	// is how many messages a text was split into: services charge by both. They
	// come from the receipt, or else from an SMS's number and text; empty and 0
	// mean unknown.
	Country  string `json:"country,omitempty"`
	Segments int    `json:"segments,omitempty"`
	// Final says that the provider will report nothing further.
	Final bool `json:"final,omitempty"`
}

// Failure is why a call failed.
type Failure struct {
	Verdict Verdict      `json:"verdict,omitempty"`
	Class   FailureClass `json:"class,omitempty"`
	// Code is the provider's own, at most 64 bytes of it.
	Code string `json:"code,omitempty"`
}

// Retrying fires when a call failed and the leg is tried again, by the same
// provider: once for each such call.
type Retrying struct {
	Attempt
	Failure
	// Call is the call that failed.
	Call int `json:"call"`
	// SameAttempt says that the same attempt is repeated under its key, since
	// its answer was lost; otherwise a new attempt begins.
	SameAttempt bool      `json:"same_attempt,omitempty"`
	NextAt      time.Time `json:"next_at"`
}

// FailedOver fires when the next provider of a leg, or the next leg of the
// plan, takes over.
type FailedOver struct {
	// From is the last attempt before; its number is 0 if none was made.
	From Attempt `json:"from"`
	// To is where it goes on: the attempt of another provider of the same leg,
	// or another leg, whose attempt number is 0 and whose provider is empty
	// since it has not chosen yet.
	To     Attempt   `json:"to"`
	Reason EndReason `json:"reason"`
	// Failure is that of the last call, if a call failed.
	Failure Failure `json:"failure,omitzero"`
}

// Delivered fires when the provider reports that the message arrived.
type Delivered struct {
	Attempt
	MessageID string `json:"message_id,omitempty"`
	Code      string `json:"code,omitempty"`
	// Cost is what the service charges, if it says so only now.
	Cost Cost `json:"cost,omitzero"`
}

// Undelivered fires when the provider reports that the message it had taken
// did not arrive.
type Undelivered struct {
	Attempt
	MessageID string       `json:"message_id,omitempty"`
	Class     FailureClass `json:"class"`
	Code      string       `json:"code,omitempty"`
	// Cost is what the service charges, if it says so only now.
	Cost Cost `json:"cost,omitzero"`
}

// Bounced fires when the message came back, be it after a delivery.
type Bounced struct {
	Attempt
	MessageID string       `json:"message_id,omitempty"`
	Class     FailureClass `json:"class"`
	Code      string       `json:"code,omitempty"`
	// Soft says that the address as such is good.
	Soft bool `json:"soft,omitempty"`
}

// Failed fires when a leg has failed: once for each leg, by the step that ends
// it. What follows is FailedOver, or Undeliverable if no way is left. A leg that
// ends for another reason raises Expired or Suppressed; one that ends in doubt
// has raised Unknown, and one that was canceled Canceled.
type Failed struct {
	// Attempt is the leg's last; its number is 0 if there was none.
	Attempt
	Reason EndReason `json:"reason"`
	// Failure is that of the last call, if a call failed.
	Failure Failure `json:"failure,omitzero"`
}

// Unknown fires when an attempt is over and nobody can tell whether the
// provider has sent it.
type Unknown struct {
	Attempt
	Failure
}

// Undeliverable fires when no way to the recipient is left: the step that ends
// the last leg raises it, or the route step if the plan has no leg.
type Undeliverable struct {
	Reason   UndeliverableReason `json:"reason"`
	Rejected []Rejected          `json:"rejected,omitempty"`
	Failure  Failure             `json:"failure,omitzero"`
}

// Suppressed fires when a guard suppressed the notification, or one leg of it.
type Suppressed struct {
	Leg
	Guard  string `json:"guard"`
	Reason string `json:"reason"`
}

// Canceled fires when the host canceled the notification.
type Canceled struct {
	// InDoubt says that a call was unanswered then.
	InDoubt bool `json:"in_doubt,omitempty"`
}

// Expired fires when the notification's time was over before it was sent.
type Expired struct {
	Leg
	At time.Time `json:"at"`
}

// Settled fires once, when every leg has ended: the write that ends the last
// one raises it. Later facts raise [Corrected].
type Settled struct {
	State State `json:"state"`
	// Attempts and Calls count all that was tried.
	Attempts int `json:"attempts"`
	Calls    int `json:"calls"`
	// Elapsed is the time since Send, in seconds.
	Elapsed float64 `json:"elapsed_seconds"`
}

// Corrected fires when a later fact changed the state: for each change after
// [Settled], and before it for each step back. The write that stores the fact
// raises it.
type Corrected struct {
	From State `json:"from"`
	To   State `json:"to"`
	// Cause is the ID of the event that changed it.
	Cause string `json:"cause"`
}
