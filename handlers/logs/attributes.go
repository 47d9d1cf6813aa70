package logs

import (
	"log/slog"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// attributes collects what there is to say: values that are zero say nothing.
type attributes []slog.Attr

func (a *attributes) text(key, value string) {
	if value != "" {
		*a = append(*a, slog.String(key, value))
	}
}

func (a *attributes) number(key string, value int) {
	if value != 0 {
		*a = append(*a, slog.Int(key, value))
	}
}

func (a *attributes) cost(c notify.Cost) {
	if c != (notify.Cost{}) {
		a.group("cost", attributes{slog.Int64("micros", c.Micros), slog.String("currency", c.Currency)})
	}
}

func (a *attributes) flag(key string, value bool) {
	if value {
		*a = append(*a, slog.Bool(key, value))
	}
}

func (a *attributes) time(key string, value time.Time) {
	if !value.IsZero() {
		*a = append(*a, slog.Time(key, value))
	}
}

func (a *attributes) list(key string, values []string) {
	if len(values) > 0 {
		*a = append(*a, slog.Any(key, values))
	}
}

func (a *attributes) group(key string, group attributes) {
	if len(group) > 0 {
		*a = append(*a, slog.GroupAttrs(key, group...))
	}
}

func (a *attributes) leg(l notify.Leg) {
	a.number("leg", l.Leg)
	a.text("channel", string(l.Channel))
}

func (a *attributes) attempt(attempt notify.Attempt) {
	a.leg(attempt.Leg)
	a.number("attempt", attempt.Attempt)
	a.text("provider", attempt.Provider)
}

func (a *attributes) failure(f notify.Failure) {
	a.text("verdict", string(f.Verdict))
	a.text("class", string(f.Class))
	a.text("code", f.Code)
}

func (a *attributes) channels(channels []notify.Channel) {
	var texts []string
	for _, c := range channels {
		texts = append(texts, string(c))
	}
	a.list("channels", texts)
}

func (a *attributes) rejected(rejected []notify.Rejected) {
	var texts []string
	for _, r := range rejected {
		texts = append(texts, string(r.Channel)+":"+string(r.Reason))
	}
	a.list("rejected", texts)
}

// attributes returns what a record says of the event.
func (l *Logs) attributes(e *notify.Event[any]) attributes {
	var a attributes
	a.text("notification_id", e.NotificationID)
	a.text("recipient_id", e.RecipientID)
	a.text("tenant", e.Tenant)
	a.text("category", e.Category)
	a.text("event_id", e.ID)
	a.time("happened_at", e.Time)
	a.text("caused_by", e.CausationID)
	a.text("trace_id", traceID(e.TraceParent))
	switch d := e.Data.(type) {
	case interface{ AttemptRef() notify.Attempt }:
		a.attempt(d.AttemptRef())
	case interface{ LegRef() notify.Leg }:
		a.leg(d.LegRef())
	}
	a.data(e.Data)
	var labels attributes
	for _, name := range l.config.Labels {
		labels.text(name, e.Labels[name])
	}
	a.group("labels", labels)
	return a
}

// traceID returns the trace-id of a traceparent (W3C Trace Context, section
// 3.2.2): version, trace-id, parent-id and flags with hyphens between.
func traceID(parent string) string {
	parts := strings.Split(parent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 {
		return ""
	}
	return parts[1]
}
