package timeline

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/event"
)

// WriteTo writes the entry as text for people: a line with the status, then a
// line for each event with the time since [Entry.At], its name, where it
// happened (channel, provider and number of the attempt) and why. Its form may
// change; what cannot be printed becomes a "?". It implements [io.WriterTo].
func (e Entry) WriteTo(w io.Writer) (int64, error) {
	var lines bytes.Buffer
	columns := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	for _, one := range e.Events {
		where, why := describe(one.Data)
		fmt.Fprintf(columns, "  %s\t%s\t%s\t%s\n",
			elapsed(one.Time.Sub(e.At)), printable(event.Name(one.Type)), printable(where), printable(why))
	}
	if err := columns.Flush(); err != nil {
		return 0, err
	}
	var text bytes.Buffer
	text.WriteString(printable(e.headline()) + "\n")
	for line := range strings.Lines(lines.String()) {
		text.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if e.Truncated {
		text.WriteString("  some events were left out\n")
	}
	return text.WriteTo(w)
}

func (e Entry) headline() string {
	s := &e.Status
	line := s.NotificationID
	if s.RecipientID != "" {
		line += " to " + s.RecipientID
	}
	line += ": " + string(s.State)
	if s.Settled {
		line += ", settled"
	}
	return line
}

// elapsed writes a duration with a sign and to about three digits.
func elapsed(d time.Duration) string {
	switch size := d.Abs(); {
	case size < time.Second:
		d = d.Round(time.Millisecond)
	case size < time.Minute:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	if d < 0 {
		return d.String()
	}
	return "+" + d.String()
}

// printable keeps control characters, such as those that steer a terminal,
// out of what a provider or the host's own code supplied.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// describe says where an event happened, and why or with what.
func describe(data any) (where, why string) {
	switch d := data.(type) {
	case interface{ AttemptRef() notify.Attempt }:
		where = ofAttempt(d.AttemptRef())
	case interface{ LegRef() notify.Leg }:
		where = string(d.LegRef().Channel)
	}
	switch d := data.(type) {
	case notify.Accepted:
		why = words(channels(d.Route.Channels()), d.Template, when("not before", d.NotBefore))
	case notify.Delayed:
		why = words(string(d.Reason), d.Guard, d.GuardReason, when("until", d.Until))
	case notify.Routed:
		var legs []notify.Channel
		for _, leg := range d.Legs {
			legs = append(legs, leg.Channel)
		}
		why = words(channels(legs), rejected(d.Rejected))
	case notify.Rendered:
		why = words(d.Template, d.Locale, fmt.Sprint(d.Bytes, " bytes"))
	case notify.Sending:
		if d.Call > 1 {
			why = fmt.Sprint("call ", d.Call)
		}
	case notify.Sent:
		why = words(d.MessageID, d.Code)
	case notify.Retrying:
		why = words(failure(d.Failure), when("again at", d.NextAt))
	case notify.FailedOver:
		where = ofAttempt(d.From)
		why = words("to "+ofAttempt(d.To), string(d.Reason), failure(d.Failure))
	case notify.Failed:
		why = words(string(d.Reason), failure(d.Failure))
	case notify.Unknown:
		why = failure(d.Failure)
	case notify.Delivered:
		why = d.Code
	case notify.Undelivered:
		why = failure(notify.Failure{Class: d.Class, Code: d.Code})
	case notify.Bounced:
		why = failure(notify.Failure{Class: d.Class, Code: d.Code})
		if d.Soft {
			why = words(why, "soft")
		}
	case notify.Undeliverable:
		why = words(string(d.Reason), failure(d.Failure), rejected(d.Rejected))
	case notify.Suppressed:
		why = words(d.Guard, d.Reason)
	case notify.Canceled:
		if d.InDoubt {
			why = "a call was unanswered"
		}
	case notify.Settled:
		why = words(string(d.State), fmt.Sprint("attempts: ", d.Attempts), fmt.Sprint("calls: ", d.Calls))
	case notify.Corrected:
		why = fmt.Sprintf("from %s to %s", d.From, d.To)
	case notify.AddressInvalid:
		why = d.Code
	case notify.Stuck:
		why = words(string(d.State), string(d.Phase), string(d.Channel), when("since", d.Since))
	case notify.Clicked:
		why = words(d.Link, machine(d.Engagement))
	case notify.Unsubscribed:
		why = words(d.Scope, machine(d.Engagement))
	case interface{ EngagementRef() notify.Engagement }:
		why = machine(d.EngagementRef())
	}
	return where, why
}

func ofAttempt(a notify.Attempt) string {
	text := string(a.Channel)
	if a.Provider != "" {
		text += "/" + a.Provider
	}
	if a.Attempt > 0 {
		text += fmt.Sprint(" #", a.Attempt)
	}
	return text
}
