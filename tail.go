package notify

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-6c01d079/notify/backend"
)

// clockSkew is how much later the backend's clock may be behind that of the
// process that made an ID.
const clockSkew = 10 * time.Minute

// tail yields a notification's events from the events topic, each once, until it
// has settled: what Watch is without records.
func (n *Notifier) tail(ctx context.Context, id string) iter.Seq2[Event[any], error] {
	return func(yield func(Event[any], error) bool) {
		tailer, ok := n.config.Backend.(backend.Tailer)
		if !ok {
			yield(Event[any]{}, n.needsRecords("watch, on a backend that is no backend.Tailer"))
			return
		}
		var since time.Time
		if made, err := uuid.Parse(id); err == nil && made.Version() == 7 {
			since = time.Unix(made.Time().UnixTime()).Add(-clockSkew)
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		go func() {
			select {
			case <-n.ended:
				cancel(ErrClosed)
			case <-ctx.Done():
			}
		}()
		seen := map[string]bool{}
		for m, err := range tailer.Tail(ctx, eventsTopic, id, since) {
			var e Event[any]
			if err == nil {
				m, err = backend.Wire(m)
			}
			if err == nil {
				if !strings.HasPrefix(m.Metadata[attrType], ownPrefix) {
					continue
				}
				e, err = n.Decode(m)
			}
			if err != nil {
				yield(e, translate(err))
				return
			}
			if e.NotificationID != id || seen[e.ID] {
				continue
			}
			seen[e.ID] = true
			if !yield(e, nil) {
				return
			}
			if _, settled := e.Data.(Settled); settled {
				return
			}
		}
		yield(Event[any]{}, fmt.Errorf("notify: waiting for %s: %w", id, context.Cause(ctx)))
	}
}

// waitByEvents is Wait without records.
func (n *Notifier) waitByEvents(ctx context.Context, id string) (Status, error) {
	var fold Fold
	var about Envelope
	for e, err := range n.tail(ctx, id) {
		if err != nil {
			return Status{}, err
		}
		fold.Add(e)
		about = e.Envelope
	}
	status := fold.Status()
	status.NotificationID, status.RecipientID = id, about.RecipientID
	status.Tenant, status.Category = about.Tenant, about.Category
	return status, nil
}
