package timeline

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

// Query asks for entries. An entry has to meet every condition that is set.
type Query struct {
	// RecipientID, Tenant and Category are as in the [notify.Status]; empty is
	// any. A host that keeps its tenants apart must not leave Tenant empty.
	RecipientID string
	Tenant      string
	Category    string
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
	q.From, q.Until = q.From.UTC().Truncate(time.Microsecond), q.Until.UTC().Truncate(time.Microsecond)
	if !q.From.IsZero() && !q.Until.IsZero() && q.Until.Before(q.From) {
		found = append(found, &notify.FieldError{Field: "Query.Until", Problem: "must not be before From"})
	}
	after, err := parseCursor(q.After)
	if err != nil {
		found = append(found, err)
	}
	return q, after, errors.Join(found...)
}

// Matches tells whether the entry meets the query's conditions; Limit and After
// are none.
func (q Query) Matches(e Entry) bool { return q.matches(&e.Status, e.At) }

func (q *Query) matches(s *notify.Status, at time.Time) bool {
	return (q.RecipientID == "" || q.RecipientID == s.RecipientID) &&
		(q.Tenant == "" || q.Tenant == s.Tenant) &&
		(q.Category == "" || q.Category == s.Category) &&
		(len(q.States) == 0 || slices.Contains(q.States, s.State)) &&
		(q.Settled == nil || *q.Settled == s.Settled) &&
		(q.From.IsZero() || !at.Before(q.From)) &&
		(q.Until.IsZero() || at.Before(q.Until))
}
