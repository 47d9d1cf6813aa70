package event

import (
	"time"

	"github.com/seed-6c01d079/notify"
)

// Happened is when an event happened, and when notify learnt of it if that was
// before: a provider may say that something happens in the time to come.
func Happened(e notify.Envelope) time.Time {
	if e.Time.After(e.Seen) && !e.Seen.IsZero() {
		return e.Seen
	}
	return e.Time
}
