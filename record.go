package notify

import (
	"slices"
	"time"
)

// record is the single truth about one notification. It changes by
// compare-and-set only; a stored value is never written to again, so every
// change begins with clone. What is decided on it is in the decide files.
type record struct {
	Version int    `json:"v"`
	ID      string `json:"id"`
	// Fingerprint is of the request, if it came with an idempotency key.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Incarnation tells apart the records that one idempotency key may have, one
	// after the retention of the other: the IDs of events and attempts hold it.
	Incarnation string `json:"incarnation,omitempty"`
	// Request and Recipient are dropped when the record settles: what was to
	// be sent, and to whom as the directory resolved it.
	Request   *Notification `json:"request,omitempty"`
	Recipient *Recipient    `json:"recipient,omitempty"`
	origin
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
	// Deadline is when it expires.
	Deadline time.Time `json:"deadline,omitzero"`
	// HoldUntil is when the route step, which waits, is due again.
	HoldUntil time.Time `json:"hold_until,omitzero"`
	Delays    int       `json:"delays,omitempty"` // how often it was held
	// Vouched says that whoever accepted it knew a provider for each channel of
	// its route.
	Vouched bool `json:"vouched,omitempty"`
	Urgent  bool `json:"urgent,omitempty"`

	Announced bool        `json:"announced,omitempty"` // Accepted was raised
	Routed    bool        `json:"routed,omitempty"`    // the route step is done
	Plan      plan        `json:"plan,omitzero"`
	Legs      []legRecord `json:"legs,omitempty"`
	Canceled  bool        `json:"canceled,omitempty"`
	SettledAt time.Time   `json:"settled_at,omitzero"`

	Evidence evidenceSet `json:"evidence,omitempty"`
	// Outbox holds what was decided, in order. Published work is dropped,
	// published events stay, for Watch and Status, up to maxHistory.
	Outbox []entry `json:"-"`
	// Seq numbers the outbox's entries.
	Seq int64 `json:"seq"`
	// Sweeps counts how often sweep took it up since it last moved on.
	Sweeps int `json:"sweeps,omitempty"`
	// SweepAt is when the sweep brings work that had no room in a topic.
	SweepAt time.Time `json:"sweep_at,omitzero"`
	// Aliases are what a provider's reports may name it by.
	Aliases []string `json:"aliases,omitempty"`

	codec  *codec // encodes it; set before it is stored
	oldSeq int64  // Seq before the change that made it
}

// origin is what all events of a notification carry.
type origin struct {
	RecipientID string            `json:"recipient_id,omitempty"`
	Tenant      string            `json:"tenant,omitempty"`
	Category    string            `json:"category,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	CausationID string            `json:"causation_id,omitempty"`
	Depth       int               `json:"depth,omitempty"`
	TraceParent string            `json:"trace_parent,omitempty"`
	TraceState  string            `json:"trace_state,omitempty"`
}

// clone returns a copy of r that may be changed, up to the maps and the
// messages, which are replaced rather than changed.
func (r *record) clone() *record {
	c := *r
	c.Legs = slices.Clone(r.Legs)
	for i := range c.Legs {
		c.Legs[i].Attempts = slices.Clone(c.Legs[i].Attempts)
	}
	// Room for what one decision adds, so that it is not copied again.
	c.Outbox = append(make([]entry, 0, len(r.Outbox)+3), r.Outbox...)
	c.Evidence = append(make(evidenceSet, 0, len(r.Evidence)+2), r.Evidence...)
	return &c
}

func (r *record) leg(number int) *legRecord {
	if number < 1 || number > len(r.Legs) {
		return nil
	}
	return &r.Legs[number-1]
}

// isTombstone tells whether r is only the mark of a cancel that came before
// its notification.
func (r *record) isTombstone() bool { return r.Canceled && r.Request == nil && !r.settled() }

func (r *record) settled() bool { return !r.SettledAt.IsZero() }

func (r *record) state() State { return r.Evidence.state() }
