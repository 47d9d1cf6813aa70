package notify

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/seed-6c01d079/notify/backend"
)

// prepare checks a notification, and makes its record. The record shares
// nothing with the caller's value that could change.
func (n *Notifier) prepare(ctx context.Context, nt Notification) (*record, error) {
	against, err := n.accepting(ctx)
	if err != nil {
		return nil, err
	}
	if err := validateNotification(&nt, against); err != nil {
		return nil, err
	}
	own, err := ownCopy(nt)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r := &record{
		Version: recordVersion, Request: own, AcceptedAt: now, Urgent: nt.Urgent,
		origin: origin{RecipientID: nt.To.ID, Tenant: nt.Tenant, Category: nt.Category, Labels: own.Labels},
	}
	r.TraceParent, r.TraceState = traceOf(ctx)
	if _, cause := causeOf(ctx); cause != nil {
		if cause.Depth >= maxDepth {
			return nil, errTooDeep
		}
		r.CausationID, r.Depth = cause.ID, cause.Depth+1
		if r.TraceParent == "" {
			r.TraceParent, r.TraceState = cause.TraceParent, cause.TraceState
		}
	}
	if r.Deadline = nt.ExpiresAt; r.Deadline.IsZero() {
		r.Deadline = later(now, nt.NotBefore).Add(n.decider.budgets.Message)
	}
	if nt.Key == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("notify: make an ID: %w", err)
		}
		r.ID = id.String()
		return r, nil
	}
	r.ID, r.Incarnation = keyedID(nt.Tenant, nt.Key), incarnation(now)
	if r.Fingerprint, err = fingerprint(own); err != nil {
		return nil, err
	}
	return r, nil
}

// keyedID derives the ID of a notification with an idempotency key: a UUID of
// version 5 (RFC 9562, section 5.5).
func keyedID(tenant, key string) string {
	name := append(append([]byte(tenant), 0), key...)
	return uuid.NewSHA1(uuid.NameSpaceOID, name).String()
}

// incarnation is that of a record which was accepted at a time. Where two
// processes accept the same key at once, the one record that is stored has it.
func incarnation(accepted time.Time) string { return strconv.FormatInt(accepted.UnixNano(), 36) }

// fingerprint tells two requests under one idempotency key apart.
func fingerprint(nt *Notification) (string, error) {
	data, err := json.Marshal(nt)
	if err != nil {
		return "", fmt.Errorf("notify: encode the notification: %w", err)
	}
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// ownCopy is a copy that the caller cannot change any more. Template data
// takes the way through JSON that it would take on a wire.
func ownCopy(nt Notification) (*Notification, error) {
	nt.To.Addresses = maps.Clone(nt.To.Addresses)
	nt.Labels = maps.Clone(nt.Labels)
	nt.Content.Data = maps.Clone(nt.Content.Data)
	nt.Content.Attachments = slices.Clone(nt.Content.Attachments)
	for i := range nt.Content.Attachments {
		nt.Content.Attachments[i].Data = slices.Clone(nt.Content.Attachments[i].Data)
	}
	if len(nt.Data) > 0 {
		data, err := json.Marshal(nt.Data)
		if err != nil {
			return nil, &FieldError{Field: "Data", Problem: "cannot be encoded as JSON", Err: err}
		}
		nt.Data = nil
		if err := unmarshalExact(data, &nt.Data); err != nil {
			return nil, &FieldError{Field: "Data", Problem: "cannot be read back from JSON", Err: err}
		}
	}
	return &nt, nil
}

// accept stores a new notification: an unkeyed one as route work that brings its
// record, where backend and records are apart, otherwise as a record with that
// work in its outbox.
func (l *ledger) accept(ctx context.Context, r *record) error {
	route := work{Version: workVersion, ID: r.ID, Topic: routeTopic}
	if r.Fingerprint == "" && l.atomic == nil {
		route.Record = r
		p, err := l.ofWork(&route)
		if err != nil {
			return err
		}
		return translate(l.publish(ctx, p))
	}
	r.Seq = 1
	r.Outbox = []entry{{seq: 1, work: &route}}
	_, err := l.save(ctx, r, 0)
	if errors.Is(err, backend.ErrConflict) && r.Fingerprint != "" {
		return l.acceptAgain(ctx, r)
	}
	return translate(err)
}

// acceptAgain answers a repeated idempotency key. While the record is not
// routed it publishes again: whoever stored it may have died before.
func (l *ledger) acceptAgain(ctx context.Context, r *record) error {
	return translate(retryConflicts(ctx, func() error {
		s, err := l.load(ctx, r.ID)
		if err != nil {
			return err
		}
		if s.Fingerprint != r.Fingerprint && s.Fingerprint != "" {
			return ErrKeyReused
		}
		if s.Request == nil && !s.settled() {
			// A cancel came first: the record takes over its mark.
			next := r.clone()
			next.Canceled = true
			next.Outbox = []entry{{seq: next.Seq, work: &work{Version: workVersion, ID: r.ID, Topic: routeTopic}}}
			_, err = l.save(ctx, next, s.revision)
			return err
		}
		if s.Routed || l.foreign {
			return nil // in a transaction, its work was stored with it
		}
		c := l.decider.change(s.record, time.Now())
		c.push(work{Topic: routeTopic}, later(c.HoldUntil, c.now))
		return l.commit(ctx, s, c)
	}))
}
