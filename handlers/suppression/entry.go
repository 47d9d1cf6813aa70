package suppression

import (
	"errors"
	"regexp"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Subject is whom an entry is about: a recipient by the host's ID, or an address
// by its [notify.Notifier.AddressHash]. Exactly one field is set.
type Subject struct {
	RecipientID string
	AddressHash string
}

// Key is what is suppressed.
type Key struct {
	Tenant  string
	Channel notify.Channel
	Subject
	// Scope is the Category of the notifications that are suppressed; empty is
	// all.
	Scope string
}

// Reason is why a key is on the list, or was taken off.
type Reason string

// The reasons.
const (
	Invalid     Reason = "invalid_address"
	Complaint   Reason = "complaint"
	Unsubscribe Reason = "unsubscribe"
	ByHost      Reason = "host"
)

// Entry is what is known of a key.
type Entry struct {
	Key
	Reason Reason
	// Lifted tells that the key was taken off the list.
	Lifted bool
	// At is when it happened, in UTC and whole microseconds.
	At time.Time
	// EventID is that of the event that says so; empty for what the host did.
	EventID string
}

var (
	channelName = regexp.MustCompile(`^[a-z0-9_-]{1,32}$`)
	hashed      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) // base64url
)

// Check returns what is wrong with the entry, as [notify.FieldError].
func (e Entry) Check() error {
	var found []error
	switch {
	case e.Channel == "":
		found = append(found, &notify.FieldError{Field: "Key.Channel", Problem: "is required"})
	case !channelName.MatchString(string(e.Channel)):
		found = append(found, &notify.FieldError{Field: "Key.Channel", Problem: "must have 1 to 32 characters of a-z, 0-9, '-' and '_'"})
	}
	switch {
	case (e.RecipientID == "") == (e.AddressHash == ""):
		found = append(found, &notify.FieldError{Field: "Key.Subject", Problem: "needs a RecipientID or an AddressHash, and not both"})
	case e.AddressHash != "" && !hashed.MatchString(e.AddressHash):
		found = append(found, &notify.FieldError{
			Field: "Key.Subject.AddressHash", Problem: "must be a hash, not an address: List.Address or Notifier.AddressHash makes it",
		})
	}
	if e.Reason == "" {
		found = append(found, &notify.FieldError{Field: "Entry.Reason", Problem: "is required"})
	}
	if e.At.IsZero() {
		found = append(found, &notify.FieldError{Field: "Entry.At", Problem: "is required"})
	}
	return errors.Join(found...)
}

// Replaces tells a [Store] whether e replaces the known entry of its key: the
// later one counts, and of two at the same time the one that is not lifted,
// then the one with the smaller event ID.
func (e Entry) Replaces(known Entry) bool {
	switch order := e.At.Compare(known.At); {
	case order != 0:
		return order > 0
	case e.Lifted != known.Lifted:
		return known.Lifted
	default:
		return e.EventID < known.EventID
	}
}
