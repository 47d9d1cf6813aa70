package notifytest

import (
	"fmt"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Expectation is a condition on the events of a notification, in their order:
// [Exactly], [Sequence], [Count], [Once], [Never], [State] and [At] make one.
//
// Their patterns are events: an event matches if it has the same type and,
// where fields of the pattern are set, the same in them. So notify.Sent{} is
// any Sent, and notify.Failed{Reason: notify.EndBudget} one with that reason.
// See [That] for anything else. A pattern that is no event, such as a pointer
// to one or nil, fails the test.
type Expectation struct {
	// problem says what is wrong, or nothing.
	problem func(events []notify.Event[any]) string
}

// expect makes an expectation of patterns, which is never met if one of them
// can match nothing.
func expect(problem func(events []notify.Event[any]) string, wanted ...pattern) Expectation {
	for _, p := range wanted {
		if p.wrong != "" {
			return Expectation{func([]notify.Event[any]) string { return p.wrong }}
		}
	}
	return Expectation{problem}
}

// Exactly: the events are these, in this order, and there are no others.
func Exactly(patterns ...any) Expectation {
	wanted := patternsOf(patterns)
	return expect(func(events []notify.Event[any]) string {
		for i, want := range wanted {
			switch {
			case i >= len(events):
				return fmt.Sprintf("event %d is missing, want %s", i+1, want.name)
			case !want.matches(events[i].Data):
				return fmt.Sprintf("event %d is a %T, want %s", i+1, events[i].Data, want.name)
			}
		}
		if len(events) > len(wanted) {
			return fmt.Sprintf("want %d events, there are %d", len(wanted), len(events))
		}
		return ""
	}, wanted...)
}

// Sequence: these events come in this order; others may come before, between
// and after them.
func Sequence(patterns ...any) Expectation {
	wanted := patternsOf(patterns)
	return expect(func(events []notify.Event[any]) string {
		next := 0
		for _, e := range events {
			if next < len(wanted) && wanted[next].matches(e.Data) {
				next++
			}
		}
		if next == len(wanted) {
			return ""
		}
		return fmt.Sprintf("%d of %d events of a sequence came; the next to come is %s", next, len(wanted), wanted[next].name)
	}, wanted...)
}

// Count: n of the events match the pattern.
func Count(n int, pattern any) Expectation {
	wanted := patternOf(pattern)
	return expect(func(events []notify.Event[any]) string {
		if got := wanted.count(events); got != n {
			return fmt.Sprintf("%d events match %s, want %d", got, wanted.name, n)
		}
		return ""
	}, wanted)
}

// Once: one of the events matches the pattern.
func Once(pattern any) Expectation { return Count(1, pattern) }

// Never: none of the events matches the pattern.
func Never(pattern any) Expectation { return Count(0, pattern) }

// State: the events amount to that state ([notify.Fold]).
func State(want notify.State) Expectation {
	return Expectation{func(events []notify.Event[any]) string {
		if got := folded(events).State(); got != want {
			return fmt.Sprintf("the state is %q, want %q", got, want)
		}
		return ""
	}}
}

// At: the first event that matches the pattern comes that long after the
// notification was accepted.
func At(after time.Duration, pattern any) Expectation {
	wanted := patternOf(pattern)
	return expect(func(events []notify.Event[any]) string {
		for _, e := range events {
			if !wanted.matches(e.Data) {
				continue
			}
			if got := e.Seen.Sub(events[0].Time); got != after {
				return fmt.Sprintf("%s came after %s, want %s", wanted.name, got, after)
			}
			return ""
		}
		return "no event matches " + wanted.name
	}, wanted)
}

func folded(events []notify.Event[any]) *notify.Fold {
	var fold notify.Fold
	for _, e := range events {
		fold.Add(e)
	}
	return &fold
}

// timeline prints events, each with the time since the first.
func timeline(events []notify.Event[any]) string {
	if len(events) == 0 {
		return "\t(no events)\n"
	}
	var text strings.Builder
	for i, e := range events {
		fmt.Fprintf(&text, "\t%3d %14s  %s %+v\n", i+1, "+"+e.Seen.Sub(events[0].Time).String(), e.Type, e.Data)
	}
	return text.String()
}
