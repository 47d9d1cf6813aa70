package webhook

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Status is an endpoint and what is known about it.
type Status struct {
	Endpoint
	// Disabled says why nothing is sent to it; empty: it is enabled. DisabledAt
	// is since when.
	Disabled   Reason
	DisabledAt time.Time
	// FailingSince is when the first call failed after the last that succeeded;
	// zero: the last succeeded, or there was none.
	FailingSince time.Time
	// HeldUntil is the end of a pause that the endpoint asked for by
	// Retry-After.
	HeldUntil time.Time
	// Proven says that a call has succeeded, and Slow that the last one took long.
	Proven bool
	Slow   bool
	// Pending is how many messages wait for it.
	Pending int
	// Dropped is how many messages were dropped while they waited, since the
	// store had no room.
	Dropped int64
}

// Reason is why an endpoint is disabled.
type Reason string

// The reasons.
const (
	DisabledByHost  Reason = "host"
	DisabledGone    Reason = "gone"    // it answered 410
	DisabledFailing Reason = "failing" // it failed for too long
	// DisabledUnreadable: what the store has of it is not as it was stored, so that
	// it cannot be called. [Sender.Put] mends that, and [Sender.Enable] goes on.
	DisabledUnreadable Reason = "unreadable"
)

// Lane keeps the calls apart that are likely to take long.
type Lane uint8

// The lanes.
const (
	Fast Lane = iota
	Slow
)

// Lane returns the lane of the endpoint: Slow if its last call failed or took
// long, and until one has succeeded.
func (s *Status) Lane() Lane {
	if !s.Proven || s.Slow || !s.FailingSince.IsZero() {
		return Slow
	}
	return Fast
}

// Calls returns how many calls of the endpoint there may be at once.
func (s *Status) Calls() int {
	if s.Ordered || !s.Proven || !s.FailingSince.IsZero() {
		return 1
	}
	return max(s.Concurrency, 1)
}

const (
	defaultLimit = 50
	maxLimit     = 500
)

// Query asks for endpoints.
type Query struct {
	// Tenant is as in the [Endpoint]; AllTenants says that it is not looked at.
	Tenant     string
	AllTenants bool
	// Disabled chooses those that are, or are not; nil is both.
	Disabled *bool
	// Limit is how many a page has at most, up to 500; default 50.
	Limit int
	// After is the [Page.Next] of the page before; empty is the first page.
	After string
}

// Resolve checks the query, for a [Store], and fills in its default. Each problem
// is a [notify.FieldError].
func (q Query) Resolve() (Query, error) {
	limit, err := resolveLimit("Query.Limit", q.Limit)
	q.Limit = limit
	if q.AllTenants && q.Tenant != "" {
		err = errors.Join(err, &notify.FieldError{Field: "Query.AllTenants", Problem: "must not be set with a Tenant"})
	}
	return q, err
}

// Matches tells whether the endpoint meets the query's conditions; Limit and
// After are none.
func (q Query) Matches(s *Status) bool {
	return (q.AllTenants || q.Tenant == s.Tenant) && (q.Disabled == nil || *q.Disabled == (s.Disabled != ""))
}

// Page is a part of a list of endpoints.
type Page struct {
	Endpoints []Status
	// Next is the [Query.After] of the next page; empty if there is none.
	Next string
}

// AttemptQuery asks for attempts of an endpoint.
type AttemptQuery struct {
	EndpointID string
	// MessageID chooses those for one event; empty is all.
	MessageID string
	// Failed leaves out those that succeeded.
	Failed bool
	// Limit is how many a page has at most, up to 500; default 50.
	Limit int
	// After is the [AttemptPage.Next] of the page before; empty is the first.
	After string
}

// Resolve checks the query, for a [Store], and fills in its default. A store
// numbers attempts from 1; the page has those with numbers below before.
func (q AttemptQuery) Resolve() (resolved AttemptQuery, before int64, err error) {
	q.Limit, err = resolveLimit("AttemptQuery.Limit", q.Limit)
	before = 1<<63 - 1
	if q.After != "" {
		var problem error
		if before, problem = strconv.ParseInt(q.After, 10, 64); problem != nil || before < 1 || strconv.FormatInt(before, 10) != q.After {
			err = errors.Join(err, &notify.FieldError{
				Field: "AttemptQuery.After", Problem: "is not the Next of a page; leave it empty to begin anew",
			})
		}
	}
	return q, before, err
}

// Matches tells whether the attempt meets the query's conditions; Limit and
// After are none.
func (q AttemptQuery) Matches(a *Attempt) bool {
	return (q.MessageID == "" || q.MessageID == a.MessageID) && !(q.Failed && a.Succeeded())
}

// AttemptPage is a part of a ledger.
type AttemptPage struct {
	Attempts []Attempt
	// Next is the [AttemptQuery.After] of the next page; empty if there is none.
	Next string
}

func resolveLimit(field string, limit int) (int, error) {
	switch {
	case limit < 0 || limit > maxLimit:
		return 0, &notify.FieldError{Field: field, Problem: fmt.Sprintf("must be from 0 (the default, %d) to %d", defaultLimit, maxLimit)}
	case limit == 0:
		return defaultLimit, nil
	default:
		return limit, nil
	}
}
