package webhook

import (
	"time"

	"github.com/seed-6c01d079/notify"
)

// Change is what [Store.Put] does to an endpoint that is there: for a [Store]. Its
// error is a [notify.FieldError], and changes nothing.
func (s *Status) Change(e Endpoint) error {
	if s.Tenant != e.Tenant {
		return &notify.FieldError{Field: "Endpoint.Tenant", Problem: "cannot change; delete the endpoint, or use another ID"}
	}
	if s.URL != e.URL {
		s.FailingSince, s.HeldUntil, s.Proven, s.Slow = time.Time{}, time.Time{}, false, false
	}
	s.Endpoint = e.clone()
	return nil
}

// Switch is what [Store.Switch] does: for a [Store].
func (s *Status) Switch(reason Reason, at time.Time) {
	switch {
	case reason == "":
		s.Disabled, s.DisabledAt, s.FailingSince, s.HeldUntil = "", time.Time{}, time.Time{}, time.Time{}
	case s.Disabled == "":
		s.Disabled, s.DisabledAt = reason, at
	default:
		s.Disabled = reason
	}
}

// Finish is what [Store.Finish] does to the endpoint, beside Pending, if the claim
// still holds: for a [Store].
func (s *Status) Finish(c Claim, o Outcome) {
	if s.URL != c.Status.URL {
		return
	}
	disables := s.disabledBy(c, o)
	s.Slow = o.Slow
	switch {
	case o.Attempt.Succeeded():
		s.Proven, s.FailingSince = true, time.Time{}
	case s.FailingSince.IsZero():
		s.FailingSince = o.Attempt.At
	}
	if o.Hold.After(s.HeldUntil) {
		s.HeldUntil = o.Hold
	}
	if disables {
		s.Switch(o.Disable, o.Attempt.At.Add(o.Attempt.Took))
	}
}

// disabledBy tells whether the outcome disables the endpoint as it is now.
func (s *Status) disabledBy(c Claim, o Outcome) bool {
	return o.Disable != "" && s.Disabled == "" && s.URL == c.Status.URL &&
		(o.Disable != DisabledFailing || s.FailingSince.Equal(c.Status.FailingSince))
}
