package logs

import (
	"log/slog"

	"github.com/seed-6c01d079/notify"
)

// data adds what the event says beyond its leg and attempt. Data of a type
// that is not listed here may hold anything, and is not written.
func (a *attributes) data(data any) {
	switch d := data.(type) {
	case notify.Accepted:
		a.channels(d.Route.Channels())
		a.text("template", d.Template)
		a.time("not_before", d.NotBefore)
		a.time("expires_at", d.ExpiresAt)
		a.flag("urgent", d.Urgent)
	case notify.Delayed:
		a.time("until", d.Until)
		a.text("reason", string(d.Reason))
		a.text("guard", d.Guard)
		a.text("guard_reason", d.GuardReason)
	case notify.Routed:
		var channels []notify.Channel
		for _, leg := range d.Legs {
			channels = append(channels, leg.Channel)
		}
		a.channels(channels)
		a.rejected(d.Rejected)
	case notify.Rendered:
		a.text("template", d.Template)
		a.text("locale", d.Locale)
		a.number("bytes", d.Bytes)
	case notify.Sending:
		a.number("call", d.Call)
	case notify.Sent:
		a.text("message_id", d.MessageID)
		a.text("code", d.Code)
		a.cost(d.Cost)
		a.text("country", d.Country)
		a.number("segments", d.Segments)
		a.flag("final", d.Final)
	case notify.Retrying:
		a.failure(d.Failure)
		a.number("call", d.Call)
		a.flag("same_attempt", d.SameAttempt)
		a.time("next_at", d.NextAt)
	case notify.FailedOver:
		a.attempt(d.From)
		var to attributes
		to.attempt(d.To)
		a.group("to", to)
		a.text("reason", string(d.Reason))
		a.failure(d.Failure)
	case notify.Delivered:
		a.text("message_id", d.MessageID)
		a.text("code", d.Code)
		a.cost(d.Cost)
	case notify.Undelivered:
		a.text("message_id", d.MessageID)
		a.failure(notify.Failure{Class: d.Class, Code: d.Code})
		a.cost(d.Cost)
	case notify.Bounced:
		a.text("message_id", d.MessageID)
		a.failure(notify.Failure{Class: d.Class, Code: d.Code})
		a.flag("soft", d.Soft)
	case notify.Failed:
		a.text("reason", string(d.Reason))
		a.failure(d.Failure)
	case notify.Unknown:
		a.failure(d.Failure)
	case notify.Undeliverable:
		a.text("reason", string(d.Reason))
		a.rejected(d.Rejected)
		a.failure(d.Failure)
	case notify.Suppressed:
		a.text("guard", d.Guard)
		a.text("reason", d.Reason)
	case notify.Canceled:
		a.flag("in_doubt", d.InDoubt)
	case notify.Expired:
		a.time("at", d.At)
	case notify.Settled:
		a.text("state", string(d.State))
		a.number("attempts", d.Attempts)
		a.number("calls", d.Calls)
		*a = append(*a, slog.Float64("elapsed_seconds", d.Elapsed))
	case notify.Corrected:
		a.text("previous_state", string(d.From))
		a.text("state", string(d.To))
		a.text("cause", d.Cause)
	case notify.Clicked:
		a.flag("machine", d.Machine)
		a.text("link", d.Link)
	case notify.Unsubscribed:
		a.flag("machine", d.Machine)
		a.text("scope", d.Scope)
	case interface{ EngagementRef() notify.Engagement }:
		a.flag("machine", d.EngagementRef().Machine)
	default:
		a.machinery(data)
	}
}

func (a *attributes) machinery(data any) {
	switch d := data.(type) {
	case notify.ObserverFailed:
		a.text("observer", d.Observer)
		a.text("failed_event_id", d.EventID)
		a.text("failed_event_type", d.EventType)
		a.text("class", string(d.Class))
	case notify.ObserverSkipped:
		a.text("observer", d.Observer)
		*a = append(*a, slog.Int64("from_position", d.From), slog.Int64("to_position", d.To))
	case notify.DeadLettered:
		a.text("observer", d.Observer)
		a.text("failed_event_id", d.EventID)
		a.text("failed_event_type", d.EventType)
		a.text("class", string(d.Class))
		a.number("attempts", d.Attempts)
		a.text("letter_id", d.LetterID)
	case notify.ProviderDown:
		a.text("channel", string(d.Channel))
		a.text("provider", d.Provider)
		a.time("until", d.Until)
	case notify.ProviderUp:
		a.text("channel", string(d.Channel))
		a.text("provider", d.Provider)
	case notify.AddressInvalid:
		a.text("code", d.Code)
	case notify.Stuck:
		a.text("state", string(d.State))
		a.time("since", d.Since)
		a.text("phase", string(d.Phase))
		a.number("leg", d.Leg)
		a.text("channel", string(d.Channel))
	}
}
