package webhook

import (
	"context"
	"time"
)

// Store keeps endpoints, what is to be sent to them, and the ledger of what was.
// All methods are safe for concurrent use, and each is atomic. Several processes
// may share a store. Package webhooktest checks a store against this contract.
//
// A method that names an endpoint which does not exist returns an error that
// wraps [notify.ErrNotFound]; problems of a query are [notify.FieldError]. No
// error holds a URL or a secret. A store keeps the [Secret.Reveal] of secrets,
// so it has to be kept secret itself. An endpoint that is not as it was stored,
// since somebody else wrote to it, harms no other: it is disabled, as
// [DisabledUnreadable], and shown without its secrets.
type Store interface {
	// Put stores an endpoint, new or changed; its fields have been checked. What
	// is known about one that is there already stays, and so does what waits for
	// it; but if its URL changes, FailingSince, HeldUntil, Proven and Slow are
	// forgotten. Another tenant is refused with a [notify.FieldError].
	Put(ctx context.Context, e Endpoint) error
	// Get returns an endpoint.
	Get(ctx context.Context, id string) (Status, error)
	// List returns endpoints, ordered by their ID byte by byte.
	List(ctx context.Context, q Query) (Page, error)
	// Delete removes an endpoint with all that waits for it and its attempts.
	Delete(ctx context.Context, id string) error
	// Switch disables an endpoint, or enables it if the reason is empty, which
	// forgets FailingSince and HeldUntil too. What waits for a disabled endpoint
	// stays, and nothing is added.
	Switch(ctx context.Context, id string, reason Reason, at time.Time) error

	// Add stores a message that some endpoint wants, disabled or not, and has it
	// wait for those that are not disabled; it returns how many. A message that is
	// there already, by its ID, changes nothing, also not for endpoints that
	// came later.
	Add(ctx context.Context, m Message) (endpoints int, err error)
	// Claim takes up to c.Limit deliveries that are due, and leases them until
	// c.Until: nobody else gets one before that, unless it is finished first. Of
	// an endpoint it takes none while it is disabled or held, and no more than
	// leave [Status.Calls] of them leased at once; of an ordered endpoint only
	// the first that waits. Endpoints whose deliveries have been due the longest
	// come first, and within an endpoint, too. next is when more will be due in
	// that lane, now if there is more already; zero if nothing is known.
	Claim(ctx context.Context, c Claiming) (claims []Claim, next time.Time, err error)
	// Finish stores what came of a claim: the attempt in the ledger, and if the
	// claim still holds the rest too. Each claim has one outcome. A Finish that
	// failed, of which it is open whether it was stored, may be repeated with the
	// same outcome: it counts once, and is in the ledger once, as long as the ledger
	// has it. If the endpoint's URL is another than when it was claimed, the outcome
	// says nothing of the endpoint, of which only Pending changes. One of another
	// tenant that has the ID by now is another endpoint, so that the claim's is not
	// there.
	Finish(ctx context.Context, c Claim, o Outcome) error
	// Replay has all messages that were added at from or later and that the
	// endpoint wants wait for it again, from their first attempt, the oldest
	// first, in the order in which they were added, before what was added after
	// them. Those that wait already stay as they are. If there is not room for
	// all, those with the earliest At are taken, and rest is the time from which to
	// go on later.
	Replay(ctx context.Context, id string, from time.Time) (messages int, rest time.Time, err error)
	// Attempts returns a part of an endpoint's ledger, the newest first, in the
	// order in which they were finished.
	Attempts(ctx context.Context, q AttemptQuery) (AttemptPage, error)
}

// Message is an event as it is sent.
type Message struct {
	// ID is the event's ID, Type its type on the wire.
	ID   string
	Type string
	// Tenant is the event's.
	Tenant string
	// At is when it was taken from the log.
	At time.Time
	// Body is the payload, which nobody changes.
	Body []byte
}

// Claiming says what to claim.
type Claiming struct {
	// Now is what counts as now, and Until the end of the lease.
	Now   time.Time
	Until time.Time
	Lane  Lane
	Limit int
}

// Claim is a delivery that is leased.
type Claim struct {
	// Status is the endpoint's when it was claimed, with the endpoint.
	Status  Status
	Message Message
	// Number counts the attempts for the message, from 1: what is to be made is
	// this one.
	Number int
	// Until is the end of the lease.
	Until time.Time
	// Token is the store's, and different for each claim of a delivery.
	Token int64
}

// Outcome is what came of a claim.
type Outcome struct {
	// Attempt goes to the ledger. If it succeeded, the endpoint is proven and not
	// failing; otherwise it is failing, since then unless it was already.
	Attempt Attempt
	// Next is when the delivery is due again; zero is never: it is over.
	Next time.Time
	// Hold, if it is later than what the endpoint is held until, holds it.
	Hold time.Time
	// Slow says that the answer took long.
	Slow bool
	// Disable disables the endpoint, if it is not empty. [DisabledFailing] does so
	// only if the endpoint has been failing since the claim's FailingSince.
	Disable Reason
}
