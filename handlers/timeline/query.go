package timeline

import (
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/seed-6c01d079/notify"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// Query asks for entries. An entry has to meet every condition that is set.
type Query struct {
	// Tenant is as in the [notify.Status], in which it is empty for a notification
	// without one, and as long as it is not known; AllTenants says that it is not
	// looked at.
	Tenant     string
	AllTenants bool
	// RecipientID and Category are as in the Status; empty is any.
	RecipientID string
	Category    string
	// Channel chooses those that used the channel: a leg on it has begun an
	// attempt, or has ended without one. A leg that the plan held ready and never
	// started does not count. Empty is any.
	Channel notify.Channel
	// Labels chooses those that have all of these labels, by their exact names and
	// values: up to 16, of at most 128 bytes. Empty is any.
	Labels map[string]string
	// States are the headlines to choose from; empty is any.
	States []notify.State
	// Settled chooses those that have settled, or have not; nil is both.
	Settled *bool
	// From and Until bound [Entry.At]: not before From, and before Until. Zero
	// is no bound.
	From  time.Time
	Until time.Time
	// Limit is how many entries a page has at most, up to 500; default 50.
	Limit int
	// After is the [Page.Next] of the page before; empty is the first page.
	After string
}

// Resolve checks the query, for a [Store]: it returns the query with its
// default filled in and its times in UTC and whole microseconds, and the
// position that the page comes after. Each problem is a [notify.FieldError].
func (q Query) Resolve() (Query, Position, error) {
	var found []error
	if q.Limit < 0 || q.Limit > maxLimit {
		found = append(found, &notify.FieldError{
			Field: "Query.Limit", Problem: fmt.Sprintf("must be from 0 (the default, %d) to %d", defaultLimit, maxLimit),
		})
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.AllTenants && q.Tenant != "" {
		found = append(found, &notify.FieldError{Field: "Query.AllTenants", Problem: "must not be set with a Tenant"})
	}
	q.From, q.Until = q.From.UTC().Truncate(time.Microsecond), q.Until.UTC().Truncate(time.Microsecond)
	if !q.From.IsZero() && !q.Until.IsZero() && q.Until.Before(q.From) {
		found = append(found, &notify.FieldError{Field: "Query.Until", Problem: "must not be before the beginning"})
	}
	found = append(found, q.checkLabels()...)
	after, err := parseCursor(q.After)
	if err != nil {
		found = append(found, err)
	}
	return q, after, errors.Join(found...)
}

func (q Query) checkLabels() (found []error) {
	wrong := func(field, problem string) { found = append(found, &notify.FieldError{Field: field, Problem: problem}) }
	if len(q.Labels) > maxLabels {
		wrong("Query.Labels", fmt.Sprintf("are more than %d", maxLabels))
	}
	for name, value := range q.Labels {
		if name == "" || len(name) > maxLabel || len(value) > maxLabel || !utf8.ValidString(name+value) {
			wrong("Query.Labels", fmt.Sprintf("names and values must be UTF-8 of at most %d bytes, and a name not empty", maxLabel))
			break
		}
	}
	if len(q.Channel) > maxLabel || !utf8.ValidString(string(q.Channel)) {
		wrong("Query.Channel", "is not the name of a channel")
	}
	return found
}

// Matches tells whether the entry meets the query's conditions; Limit and After
// are none.
func (q Query) Matches(e Entry) bool { return q.matches(&e.Status, e.Labels, e.At) }

func (q *Query) matches(s *notify.Status, labels map[string]string, at time.Time) bool {
	for name, value := range q.Labels {
		if has, ok := labels[name]; !ok || has != value {
			return false
		}
	}
	on := func(leg notify.LegStatus) bool { return leg.Channel == q.Channel && begun(&leg) }
	return (q.AllTenants || q.Tenant == s.Tenant) &&
		(q.RecipientID == "" || q.RecipientID == s.RecipientID) &&
		(q.Category == "" || q.Category == s.Category) &&
		(q.Channel == "" || slices.ContainsFunc(s.Legs, on)) &&
		(len(q.States) == 0 || slices.Contains(q.States, s.State)) &&
		(q.Settled == nil || *q.Settled == s.Settled) &&
		(q.From.IsZero() || !at.Before(q.From)) &&
		(q.Until.IsZero() || at.Before(q.Until))
}
