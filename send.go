package notify

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// Send accepts a notification and returns its ID, once the backend holds it as
// durably as it holds anything: from then on it settles, whatever crashes. It
// does not wait for it to be sent; see [Notifier.Wait].
//
// Everything that is wrong with the notification is reported at once, as
// [FieldErrors]. Send waits while too much work is queued, until ctx ends, and
// returns [ErrOverloaded] then; in an observer's handler it returns that at
// once. There, give Key the event's ID, so that a redelivered event sends
// nothing again.
//
// Any other error comes from the backend and leaves it open whether the
// notification was accepted: with a Key it may safely be sent again.
func (n *Notifier) Send(ctx context.Context, nt Notification) (string, error) {
	r, err := n.prepare(ctx, nt)
	if err != nil {
		return "", err
	}
	span := n.beginSend(ctx, r)
	if err := span.during(ctx, func(ctx context.Context) error { return n.acceptOne(ctx, r) }); err != nil {
		return "", err
	}
	noteSent(ctx, 1)
	return r.ID, nil
}

// acceptOne stores a notification, once there is room for it.
func (n *Notifier) acceptOne(ctx context.Context, r *record) error {
	if err := n.admit(ctx, 1, true); err != nil {
		return err
	}
	return n.ledger.accept(ctx, r)
}

// beginSend begins the span of sending, which goes into the records.
func (n *Notifier) beginSend(ctx context.Context, records ...*record) Begun {
	h := n.hooks.Load()
	if !h.traces() || len(records) == 0 {
		return Begun{}
	}
	s := Span{Operation: OperationSend, Topic: routeTopic, TraceParent: records[0].TraceParent, TraceState: records[0].TraceState}
	if len(records) == 1 {
		s.NotificationID = records[0].ID
	} else {
		s.Count = len(records)
	}
	span := h.Begin(ctx, s)
	if span.TraceParent != "" {
		for _, r := range records {
			r.TraceParent, r.TraceState = span.TraceParent, span.TraceState
		}
	}
	return span
}

// noteSent counts notifications that an observer sent.
func noteSent(ctx context.Context, count int) {
	if d, cause := causeOf(ctx); cause != nil {
		d.runner.outputs.add("", count)
	}
}

// SendResult is what became of one notification of a batch.
type SendResult struct {
	ID  string
	Err error
}

// SendBatch sends many notifications. It checks all of them first, and if one
// is wrong sends none and returns an error with fields such as
// "[3].To.Addresses[email]". Otherwise the results are in the order of nts, and
// the error joins theirs.
func (n *Notifier) SendBatch(ctx context.Context, nts []Notification) ([]SendResult, error) {
	if err := n.open(ctx); err != nil {
		return nil, err
	}
	records := make([]*record, len(nts))
	var found problems
	for i := range nts {
		r, err := n.prepare(ctx, nts[i])
		fields := FieldErrors(err)
		if err != nil && len(fields) == 0 {
			return nil, err
		}
		for _, field := range fields {
			found = append(found, &FieldError{Field: fmt.Sprintf("[%d].%s", i, field.Field), Problem: field.Problem, Err: field.Err})
		}
		records[i] = r
	}
	if len(found) > 0 {
		return nil, found.err()
	}
	span := n.beginSend(ctx, records...)
	results := make([]SendResult, len(nts))
	err := span.during(ctx, func(ctx context.Context) error {
		var failed []error
		for i, r := range records {
			results[i].ID = r.ID
			if err := n.acceptOne(ctx, r); err != nil {
				results[i] = SendResult{Err: err}
				failed = append(failed, fmt.Errorf("[%d]: %w", i, err))
			}
		}
		if sent := len(nts) - len(failed); sent > 0 {
			noteSent(ctx, sent)
		}
		return errors.Join(failed...)
	})
	return results, err
}

// admit sees that there is room in the route topic, and may wait for it.
func (n *Notifier) admit(ctx context.Context, count int, wait bool) error {
	if n.admitter == nil {
		return nil
	}
	_, cause := causeOf(ctx)
	err := n.admitter.Admit(ctx, routeTopic, count, wait && cause == nil)
	if errors.Is(err, backend.ErrOverloaded) {
		return fmt.Errorf("%w: too much work is queued", ErrOverloaded)
	}
	return translate(err)
}
