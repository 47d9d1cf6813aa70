package notify

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify/backend"
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
	Urgent    bool      `json:"urgent,omitempty"`

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

	codec *codec // encodes it; set before it is stored
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

// entry is one decided event or work item.
type entry struct {
	seq       int64
	event     *decided
	work      *work
	published bool
}

// maxHistory bounds the published events that a record keeps.
const maxHistory = 256

type legState string

const (
	legWaiting legState = ""        // not started
	legOpen    legState = "open"    // being sent
	legReceipt legState = "receipt" // sent, and the provider will report
	legEnded   legState = "ended"
)

// legRecord is one leg. Its current attempt is the last of Attempts, or, if
// that is over, the next one, which has not begun.
type legRecord struct {
	Channel Channel  `json:"channel"`
	State   legState `json:"state,omitempty"`
	// Reason is why it ended; empty is success.
	Reason    EndReason `json:"reason,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// NextAt is when its next move is due: the next call, or the end of the
	// receipt window.
	NextAt   time.Time       `json:"next_at,omitzero"`
	Message  *rendered       `json:"message,omitempty"` // dropped when it ends
	Attempts []attemptRecord `json:"attempts,omitempty"`
	// AddressHash is the keyed hash of the recipient's address.
	AddressHash string `json:"address_hash,omitempty"`
	// Out are the providers whose turn is over, and why.
	Out map[string]EndReason `json:"out,omitempty"`
	// Failure is that of the last call.
	Failure Failure `json:"failure,omitzero"`
	// Guard and GuardReason are set if a guard suppressed it.
	Guard       string `json:"guard,omitempty"`
	GuardReason string `json:"guard_reason,omitempty"`
	Delays      int    `json:"delays,omitempty"`
	// Held is how long guards have held it: no budget counts that.
	Held time.Duration `json:"held,omitempty"`
}

// attemptRecord is one ordinal of a leg: one provider, one key.
type attemptRecord struct {
	Provider string `json:"provider"`
	Key      string `json:"key"`
	// Granted counts the epochs: each is one execution's right to call once.
	// Answered has the epochs that were answered, Refused those of them that
	// were answered no.
	Granted  int   `json:"granted"`
	Answered []int `json:"answered,omitempty"`
	Refused  []int `json:"refused,omitempty"`
	// Canceled says that it was unanswered when the notification was canceled.
	Canceled bool `json:"canceled,omitempty"`
	// Lost says that an answer got lost.
	Lost      bool      `json:"lost,omitempty"`
	Lease     lease     `json:"lease,omitzero"`
	FirstCall time.Time `json:"first_call"`
	// Held is the leg's, when it began.
	Held time.Duration `json:"held,omitempty"`
	// MessageIDs are the provider's names for what it took.
	MessageIDs []string `json:"message_ids,omitempty"`
	// Asks counts how often the provider was asked in vain.
	Asks int  `json:"asks,omitempty"`
	Over bool `json:"over,omitempty"`
}

// lease is one execution's claim on an attempt, until a time.
type lease struct {
	Owner string    `json:"owner"`
	Until time.Time `json:"until"`
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

// current is the ordinal that the leg is at, which may not have begun.
func (l *legRecord) current() int {
	n := len(l.Attempts)
	if n == 0 || l.Attempts[n-1].Over {
		return n + 1
	}
	return n
}

// attempt returns the ordinal's record, or nil if it has not begun.
func (l *legRecord) attempt(ordinal int) *attemptRecord {
	if ordinal < 1 || ordinal > len(l.Attempts) {
		return nil
	}
	return &l.Attempts[ordinal-1]
}

// budgetEnd is when the leg begins no more attempts.
func (l *legRecord) budgetEnd(channel time.Duration) time.Time {
	return l.StartedAt.Add(l.Held + channel)
}

// calls counts the leg's calls to the provider, and from when its budget
// counts: the first call, moved by what guards have held the leg since.
func (l *legRecord) calls(provider string) (n int, first time.Time) {
	for i := range l.Attempts {
		if a := &l.Attempts[i]; a.Provider == provider {
			if n == 0 {
				first = a.FirstCall.Add(l.Held - a.Held)
			}
			n += a.Granted
		}
	}
	return n, first
}

// unanswered tells whether a granted epoch has not been answered.
func (a *attemptRecord) unanswered() bool { return len(a.Answered) < a.Granted }

// allRefused tells whether every granted epoch was answered no, and no answer
// was lost.
func (a *attemptRecord) allRefused() bool { return !a.Lost && len(a.Refused) == a.Granted }

// isTombstone tells whether r is only the mark of a cancel that came before
// its notification.
func (r *record) isTombstone() bool { return r.Canceled && r.Request == nil && !r.settled() }

func (r *record) settled() bool { return !r.SettledAt.IsZero() }

// withoutDelayed takes the work for later out of what the record publishes: it
// is left to the sweep.
func (r *record) withoutDelayed(out []backend.Publication) []backend.Publication {
	return slices.DeleteFunc(out, func(p backend.Publication) bool {
		r.SweepAt = earlier(r.SweepAt, p.At)
		return !p.At.IsZero()
	})
}

func (r *record) state() State { return r.Evidence.state() }

// unpublished tells whether the outbox has something to publish.
func (r *record) unpublished() bool {
	for i := range r.Outbox {
		if !r.Outbox[i].published {
			return true
		}
	}
	return false
}

// markPublished marks exactly the entries that were published.
func (r *record) markPublished(published func(seq int64) bool) {
	kept := r.Outbox[:0]
	for _, e := range r.Outbox {
		e.published = e.published || published(e.seq)
		if !e.published || e.event != nil {
			kept = append(kept, e)
		}
	}
	clear(r.Outbox[len(kept):])
	r.Outbox = kept
	for i := 0; len(r.Outbox) > maxHistory && i < len(r.Outbox); {
		if r.Outbox[i].published {
			r.Outbox = slices.Delete(r.Outbox, i, i+1)
		} else {
			i++
		}
	}
}

// recordJSON is a record with its outbox in a form that can be stored.
type recordJSON struct {
	*record
	Outbox []entryJSON `json:"outbox,omitempty"`
}

type entryJSON struct {
	Seq       int64           `json:"seq"`
	Published bool            `json:"published,omitempty"`
	Event     json.RawMessage `json:"event,omitempty"`
	Work      *work           `json:"work,omitempty"`
}

// AppendBinary implements [encoding.BinaryAppender]: a record is what a store
// keeps.
func (r *record) AppendBinary(to []byte) ([]byte, error) {
	stored := recordJSON{record: r}
	for _, e := range r.Outbox {
		one := entryJSON{Seq: e.seq, Published: e.published, Work: e.work}
		if e.event != nil {
			event, err := r.codec.appendStored(nil, r.fact(r.codec, e.event))
			if err != nil {
				return nil, fmt.Errorf("notify: encode the record %s: %w", r.ID, err)
			}
			one.Event = event
		}
		stored.Outbox = append(stored.Outbox, one)
	}
	data, err := json.Marshal(stored)
	if err != nil {
		return nil, fmt.Errorf("notify: encode the record %s: %w", r.ID, err)
	}
	return append(to, data...), nil
}

// recordOf returns the record that a store loaded.
func recordOf(stored backend.Record, c *codec) (*record, error) {
	data, ok := stored.Body.(backend.Bytes)
	if !ok {
		if r, ok := stored.Body.(*record); ok {
			return r, nil
		}
		return nil, fmt.Errorf("notify: the record %s holds a %T", stored.ID, stored.Body)
	}
	read := recordJSON{record: &record{}}
	if err := unmarshalExact(data, &read); err != nil {
		return nil, fmt.Errorf("notify: decode the record %s: %w", stored.ID, err)
	}
	r := read.record
	if r.Version > recordVersion {
		return nil, fmt.Errorf("notify: the record %s has version %d, this program knows %d: %w", stored.ID, r.Version, recordVersion, ErrUnsupported)
	}
	for _, e := range read.Outbox {
		one := entry{seq: e.Seq, published: e.Published, work: e.Work}
		if len(e.Event) > 0 {
			f, err := c.loadStored(e.Event)
			if err != nil {
				return nil, fmt.Errorf("notify: decode the record %s: %w", stored.ID, err)
			}
			one.event = decidedOf(f)
		}
		r.Outbox = append(r.Outbox, one)
	}
	return r, nil
}

// recordVersion is the newest form of a record that this program reads.
const recordVersion = 1
