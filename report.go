package notify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Report is what a provider, or a recipient's client, says later about an
// attempt. It names the attempt by Key, or by Provider and MessageID.
type Report struct {
	// Key is the attempt's ([Delivery.Key]).
	Key string
	// Provider and MessageID are as in the [Receipt].
	Provider  string
	MessageID string
	// Event is what happened: a Delivered, Undelivered or Bounced, or one of
	// the engagement events, with its own fields set. Its Attempt and message
	// ID are filled in.
	Event any
	// EventID is the provider's own name for what happened, by which a report
	// that comes twice is known. Without it, engagement is told apart by At.
	// Engagement is known while it is among the last 256 events of its
	// notification: after that a repeated report is another event.
	EventID string
	// At is when it happened; zero is now.
	At time.Time
}

// Report takes what a provider says later. It is stored when Report returns
// nil, so a webhook may answer 2xx then. A fact that is reported again changes
// nothing. A report that comes before the message it is about is known waits
// for it, for 72 h, at most 16 of a message.
func (n *Notifier) Report(ctx context.Context, rep Report) error {
	if err := n.open(ctx); err != nil {
		return err
	}
	if err := n.needsRecords("report"); err != nil {
		return err
	}
	if err := rep.check(); err != nil {
		return err
	}
	if rep.At.IsZero() {
		rep.At = time.Now()
	}
	if rep.Key != "" {
		id, leg, ordinal, _ := parseAttemptKey(rep.Key)
		return translate(retryConflicts(ctx, func() error { return n.reportOnce(ctx, id, leg, ordinal, rep) }))
	}
	return translate(retryConflicts(ctx, func() error {
		s, err := n.ledger.loadAlias(ctx, messageAlias(rep.Provider, rep.MessageID))
		if errors.Is(err, backend.ErrNotFound) {
			return n.park(ctx, rep)
		}
		if err != nil {
			return err
		}
		return n.reportTo(ctx, s, rep)
	}))
}

func (r *Report) check() error {
	var found problems
	if _, _, _, ok := parseAttemptKey(r.Key); !ok && r.Key != "" {
		found.add("Report.Key", "is not an attempt's key; give the Delivery.Key of the call, unchanged")
	}
	if r.Key == "" && (r.Provider == "" || r.MessageID == "") {
		found.add("Report", "needs Key, or Provider and MessageID")
	}
	if r.Provider != "" && !validProviderName(r.Provider) {
		found.add("Report.Provider", "is not a provider's name")
	}
	for _, one := range []struct{ field, value string }{{"MessageID", r.MessageID}, {"EventID", r.EventID}} {
		if len(one.value) > maxMessageID || !isLine(one.value) {
			found.add("Report."+one.field, "must be one line of at most 1024 bytes of valid UTF-8")
		}
	}
	found.time("Report.At", r.At)
	if _, ok := r.about(Attempt{}); !ok {
		found.add("Report.Event", "must be a Delivered, Undelivered, Bounced or engagement event, by value")
	}
	return found.err()
}

// reportOnce applies a report that names its attempt.
func (n *Notifier) reportOnce(ctx context.Context, id string, leg, ordinal int, rep Report) error {
	s, err := n.ledger.load(ctx, id)
	if err != nil {
		return err
	}
	if l := s.leg(leg); l == nil || l.attempt(ordinal) == nil || l.attempt(ordinal).Key != rep.Key {
		return fmt.Errorf("notify: report: the attempt: %w", ErrNotFound)
	}
	return n.apply(ctx, s, leg, ordinal, rep)
}

// reportTo applies a report to the attempt that sent the message.
func (n *Notifier) reportTo(ctx context.Context, s stored, rep Report) error {
	for i := range s.Legs {
		for j := range s.Legs[i].Attempts {
			if a := &s.Legs[i].Attempts[j]; a.Provider == rep.Provider && slices.Contains(a.MessageIDs, rep.MessageID) {
				return n.apply(ctx, s, i+1, j+1, rep)
			}
		}
	}
	return fmt.Errorf("notify: report: the message: %w", ErrNotFound)
}

func (n *Notifier) apply(ctx context.Context, s stored, leg, ordinal int, rep Report) error {
	ref := s.ref(leg, ordinal)
	data, _ := rep.about(ref)
	reported := reported{leg: leg, ordinal: ordinal, suffix: attemptID(leg, ordinal, rep.kind(n.codec)), at: rep.At, data: data}
	switch e := data.(type) {
	case Bounced:
		reported.hard = !e.Soft && e.Class == ClassAddress
	case Undelivered:
		reported.hard = e.Class == ClassAddress
	case Complained:
		e.AddressHash = s.leg(leg).AddressHash
		reported.data = e
	case Unsubscribed:
		e.AddressHash = s.leg(leg).AddressHash
		reported.data = e
	}
	c := n.decider.report(s.record, reported, time.Now())
	if c == nil {
		_, err := n.ledger.flush(ctx, s)
		return err
	}
	return n.ledger.commit(ctx, s, c)
}

// kind is the end of the event's ID: engagement may happen many times.
func (r *Report) kind(c *codec) string {
	name := strings.TrimSuffix(strings.TrimPrefix(c.kindOf(reflect.TypeOf(r.Event)).name, ownPrefix), ".v1")
	switch r.Event.(type) {
	case Delivered, Undelivered, Bounced:
		return name
	}
	id := r.EventID
	if id == "" {
		id = r.At.UTC().Format(time.RFC3339Nano)
	}
	sum := sha256.Sum256([]byte(id))
	return name + "." + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// about returns the event with its attempt filled in.
func (r *Report) about(a Attempt) (any, bool) {
	switch e := r.Event.(type) {
	case Delivered:
		e.Attempt, e.MessageID, e.Code = a, orDefault(r.MessageID, e.MessageID), clipCode(e.Code)
		e.Cost.Currency = clipCode(e.Cost.Currency)
		return e, true
	case Undelivered:
		e.Attempt, e.MessageID, e.Code = a, orDefault(r.MessageID, e.MessageID), clipCode(e.Code)
		e.Cost.Currency = clipCode(e.Cost.Currency)
		e.Class = e.Class.known()
		return e, true
	case Bounced:
		e.Attempt, e.MessageID, e.Code = a, orDefault(r.MessageID, e.MessageID), clipCode(e.Code)
		e.Class = e.Class.known()
		return e, true
	case Opened:
		e.Attempt = a
		return e, true
	case Clicked:
		e.Attempt, e.Link = a, clip(e.Link, maxLabel)
		return e, true
	case Read:
		e.Attempt = a
		return e, true
	case Archived:
		e.Attempt = a
		return e, true
	case Replied:
		e.Attempt = a
		return e, true
	case Complained:
		e.Attempt = a
		return e, true
	case Unsubscribed:
		e.Attempt, e.Scope = a, clip(e.Scope, maxLabel)
		return e, true
	}
	return nil, false
}
