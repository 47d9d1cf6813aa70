package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Cancellation is the answer to [Notifier.Cancel].
type Cancellation string

// The answers.
const (
	// CancelDone: no provider will be called any more. What was sent before
	// stays sent: Status tells.
	CancelDone Cancellation = "canceled"
	// CancelPending: nothing new begins, but a call is unanswered and may yet
	// have its effect.
	CancelPending Cancellation = "pending"
)

// Cancel ends a notification before it is sent. Once it has settled the error
// is [ErrTooLate], unless it was canceled: then the answer is CancelDone again,
// but ErrTooLate if a call that was unanswered at the first Cancel has had its
// effect, or nobody can tell. An ID that is not known yet is remembered for 30
// days, and canceled when it appears. Cancel may be called again, and then
// answers by what is known by then.
func (n *Notifier) Cancel(ctx context.Context, id string) (Cancellation, error) {
	if err := n.open(ctx); err != nil {
		return "", err
	}
	if err := n.needsRecords("cancel"); err != nil {
		return "", err
	}
	if id == "" || len(id) > maxKey {
		return "", &FieldError{Field: "id", Problem: "must have 1 to 255 bytes"}
	}
	var answer Cancellation
	err := retryConflicts(ctx, func() error {
		answer = CancelPending // what the record said before a conflict counts no longer
		s, err := n.ledger.load(ctx, id)
		if errors.Is(err, backend.ErrNotFound) {
			return n.bury(ctx, id, &answer)
		}
		if err != nil {
			return err
		}
		c, done, err := n.decider.cancel(s.record, time.Now())
		if err != nil {
			return err
		}
		if done {
			answer = CancelDone
		}
		if c == nil {
			_, err = n.ledger.flush(ctx, s)
			return err
		}
		return n.ledger.commit(ctx, s, c)
	})
	if err != nil {
		return "", translate(err)
	}
	return answer, nil
}

// tombstoneFor is how long the mark of an unknown notification outlives any
// work that may still be queued.
const tombstoneFor = 30 * 24 * time.Hour

// bury leaves a mark for a notification that is not known.
func (n *Notifier) bury(ctx context.Context, id string, answer *Cancellation) error {
	*answer = CancelDone
	mark := &record{Version: recordVersion, ID: id, Canceled: true, Deadline: time.Now().Add(tombstoneFor)}
	if _, err := n.ledger.save(ctx, mark, 0); err != nil {
		return fmt.Errorf("notify: cancel %s: %w", id, err)
	}
	return nil
}
