package suppression

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Query asks for entries. An entry has to meet every condition that is set.
type Query struct {
	// Tenant is as in the [Key]; with AllTenants it does not matter.
	Tenant     string
	AllTenants bool
	// Channel and RecipientID are as in the Key; empty is any.
	Channel     notify.Channel
	RecipientID string
	// Limit is how many entries a page has at most, up to 1,000; default 100.
	Limit int
	// After is the [Page.Next] of the page before; empty is the first page.
	After string
}

// Resolve checks the query, for a [Store]: it returns the query with its default
// filled in, and the key that the page comes after; ok is false for the first
// page. Each problem is a [notify.FieldError].
func (q Query) Resolve() (resolved Query, after Key, ok bool, err error) {
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
	if q.After != "" {
		text, err := base64.RawURLEncoding.DecodeString(q.After)
		if err == nil {
			err = json.Unmarshal(text, &after)
		}
		if err != nil || after.Cursor() != q.After {
			found = append(found, &notify.FieldError{Field: "Query.After", Problem: "is not the Next of a page; leave it empty to begin anew"})
		}
	}
	return q, after, q.After != "", errors.Join(found...)
}

// Matches tells whether the entry meets the query's conditions; Limit and After
// are none.
func (q Query) Matches(e Entry) bool {
	return !e.Lifted && (q.AllTenants || q.Tenant == e.Tenant) &&
		(q.Channel == "" || q.Channel == e.Channel) && (q.RecipientID == "" || q.RecipientID == e.RecipientID)
}

// Compare orders keys as lists are.
func (k Key) Compare(other Key) int {
	return cmp.Or(
		cmp.Compare(k.Tenant, other.Tenant), cmp.Compare(k.Channel, other.Channel),
		cmp.Compare(k.RecipientID, other.RecipientID), cmp.Compare(k.AddressHash, other.AddressHash), cmp.Compare(k.Scope, other.Scope),
	)
}

// Cursor returns the key as [Page.Next] has it.
func (k Key) Cursor() string {
	text, _ := json.Marshal(k) // strings always have a form
	return base64.RawURLEncoding.EncodeToString(text)
}
