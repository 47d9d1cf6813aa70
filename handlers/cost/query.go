package cost

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify"
)

// Dimension is what sums are grouped by.
type Dimension string

// The dimensions.
const (
	ByTenant   Dimension = "tenant"
	ByChannel  Dimension = "channel"
	ByCategory Dimension = "category"
	ByProvider Dimension = "provider"
	ByCountry  Dimension = "country"
	ByObserver Dimension = "observer"
	ByEvent    Dimension = "event"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Query asks for sums. What it sums up has to meet every condition that is set.
type Query struct {
	// Period is a month, "2026-03", or a day, "2026-03-14", of which there are
	// sums only if the [Config] has Days. [Ledger.Month] takes an empty one for the
	// current month; otherwise it is required.
	Period string
	// Tenant is whose costs they are; with AllTenants it does not matter.
	// Observers' costs belong to the empty tenant.
	Tenant     string
	AllTenants bool
	// The others are as in [Group]; empty is any.
	Channel  notify.Channel
	Category string
	Provider string
	Country  string
	Observer string
	Event    string
	// By groups the sums, in each currency; if empty there is one sum for each
	// currency. ByTenant needs AllTenants.
	By Dimension
	// Limit is how many sums a page has at most, up to 1,000; default 100.
	Limit int
	// After is the [Page.Next] of the page before; empty is the first page.
	After string
}

// Position is where a page ends: a [Sum]'s value and currency.
type Position struct {
	Value, Currency string
}

// Resolve checks the query, for a [Store]: it returns the query with its default
// filled in, and the position that the page comes after; ok is false for the
// first page. Each problem is a [notify.FieldError].
func (q Query) Resolve() (resolved Query, after Position, ok bool, err error) {
	var found problems
	found.when(!validMonth(q.Period) && !validDay(q.Period), "Query.Period", `must be a month or a day, such as "2026-03" or "2026-03-14"`)
	found.when(q.AllTenants && q.Tenant != "", "Query.AllTenants", "must not be set with a Tenant")
	switch q.By {
	case "", ByChannel, ByCategory, ByProvider, ByCountry, ByObserver, ByEvent:
	case ByTenant:
		found.when(!q.AllTenants, "Query.By", "needs AllTenants, to be ByTenant")
	default:
		found.add("Query.By", "is no dimension; use a constant such as ByChannel")
	}
	if q.Limit < 0 || q.Limit > maxLimit {
		found.add("Query.Limit", fmt.Sprintf("must be from 0 (the default, %d) to %d", defaultLimit, maxLimit))
	}
	if q.Limit == 0 {
		q.Limit = defaultLimit
	}
	if q.After != "" {
		text, err := base64.RawURLEncoding.DecodeString(q.After)
		if err == nil {
			err = json.Unmarshal(text, &after)
		}
		found.when(err != nil || after.Cursor() != q.After, "Query.After", "is not the Next of a page; leave it empty to begin anew")
	}
	return q, after, q.After != "", errors.Join(found...)
}

// Cursor returns the position as [Page.Next] has it.
func (p Position) Cursor() string {
	text, _ := json.Marshal(p) // strings always have a form
	return base64.RawURLEncoding.EncodeToString(text)
}

// Position is the sum's place in a list.
func (s Sum) Position() Position { return Position{s.Value, s.Currency} }

// Matches tells whether the group meets the query's conditions; the tenant is not
// looked at.
func (q *Query) Matches(g Group) bool {
	return (q.Channel == "" || q.Channel == g.Channel) && (q.Category == "" || q.Category == g.Category) &&
		(q.Provider == "" || q.Provider == g.Provider) && (q.Country == "" || q.Country == g.Country) &&
		(q.Observer == "" || q.Observer == g.Observer) && (q.Event == "" || q.Event == g.Event)
}

// Value is what the group has in the dimension.
func (d Dimension) Value(g Group) string {
	switch d {
	case ByTenant:
		return g.Tenant
	case ByChannel:
		return string(g.Channel)
	case ByCategory:
		return g.Category
	case ByProvider:
		return g.Provider
	case ByCountry:
		return g.Country
	case ByObserver:
		return g.Observer
	case ByEvent:
		return g.Event
	}
	return ""
}
