package webhook

import "time"

// Attempt is one call of an endpoint, as the ledger keeps it. It has nothing of
// what was sent, and of what was answered only the status. A call that the end of
// its process cut off is not in the ledger.
type Attempt struct {
	EndpointID string
	// MessageID is the event's ID, and Type its type on the wire.
	MessageID string
	Type      string
	// Number counts the attempts for the event, from 1; a replay begins anew.
	Number int
	// At is when the call began, and Took how long it took.
	At   time.Time
	Took time.Duration
	// Status is the HTTP status; 0 if none came.
	Status int
	// Failure is empty if it succeeded.
	Failure Failure
	// Next is when the event is tried again; zero if it is not.
	Next time.Time
}

// Succeeded tells whether the endpoint took the event.
func (a Attempt) Succeeded() bool { return a.Failure == "" }

// Failure is why a call failed.
type Failure string

// Every answer with a status from 200 to 299 is a success, and nothing else is.
const (
	FailureStatus   Failure = "status"   // another status than 2xx, 3xx and 410
	FailureRedirect Failure = "redirect" // 3xx, which is never followed
	FailureGone     Failure = "gone"     // 410: the endpoint is disabled
	FailureTimeout  Failure = "timeout"  // no answer within the time
	FailureResolve  Failure = "resolve"  // the name has no address
	FailureBlocked  Failure = "blocked"  // the URL, the address or the port is not allowed
	FailureTLS      Failure = "tls"      // no TLS, or a certificate that is not trusted
	FailureConnect  Failure = "connect"  // no connection
	FailureAnswer   Failure = "answer"   // a connection, but no answer in HTTP
)
