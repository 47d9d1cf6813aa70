package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// publications are the messages of what is unpublished. Work for later is left
// out where the backend cannot hold it: the sweep brings it back in time.
func (l *ledger) publications(r *record) ([]backend.Publication, error) {
	count := 0
	for i := range r.Outbox {
		if !r.Outbox[i].published {
			count++
		}
	}
	out := make([]backend.Publication, 0, count)
	for i := range r.Outbox {
		e := &r.Outbox[i]
		switch {
		case e.published, e.work != nil && !e.work.At.IsZero() && l.delayed == nil:
			continue
		case e.event != nil:
			p, err := l.ofFact(r.fact(l.codec, e.event))
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		default:
			w := e.work
			if l.carried != nil {
				w = new(*w)
				w.Record = r.snapshot()
			}
			p, err := l.ofWork(w)
			if err != nil {
				return nil, err
			}
			out = append(out, p)
		}
	}
	return out, nil
}

func (l *ledger) ofFact(f *fact) (p backend.Publication, err error) {
	p.Topic = eventsTopic
	if l.local != nil {
		p.Local = f
	} else {
		p.Message, err = l.codec.encode(f)
	}
	return p, err
}

func (l *ledger) ofWork(w *work) (p backend.Publication, err error) {
	p.Topic, p.At = w.Topic, w.At
	if l.local != nil {
		p.Local = &localWork{work: w}
	} else {
		p.Message, err = w.wire()
	}
	return p, err
}

func (l *ledger) publish(ctx context.Context, p backend.Publication) error {
	var err error
	switch {
	case !p.At.IsZero():
		err = l.delayed.PublishAt(ctx, p.At, p.Topic, backend.MessageOf(p.Entry()))
	case p.Local != nil:
		err = l.local.PublishLocal(time.Now(), p.Topic, p.Local)
	default:
		p.Message.SetContext(ctx)
		err = l.publisher.Publish(p.Topic, p.Message)
	}
	if err != nil {
		return fmt.Errorf("notify: publish to %s: %w", p.Topic, err)
	}
	return nil
}

// putBack publishes work again for a later time (3). Where the backend cannot
// hold it, the record's due time brings it back.
func (l *ledger) putBack(ctx context.Context, w work, at time.Time) error {
	if !l.decider.keeps(ruleV7) || l.delayed == nil {
		return nil
	}
	err := l.publishAt(ctx, w, at)
	if errors.Is(err, backend.ErrOverloaded) && l.carried == nil {
		return retryConflicts(ctx, func() error { return l.leaveToSweep(ctx, w.ID, at) })
	}
	return err
}

// publishAt has the backend hold work until a time.
func (l *ledger) publishAt(ctx context.Context, w work, at time.Time) error {
	w.At = at
	if l.carried != nil {
		s, err := l.load(ctx, w.ID)
		if err != nil {
			return err
		}
		w.Record = s.snapshot()
	}
	p, err := l.ofWork(&w)
	if err != nil {
		return err
	}
	return l.publish(ctx, p)
}

// leaveToSweep has the sweep bring work that the backend has no room to hold
// until its time.
func (l *ledger) leaveToSweep(ctx context.Context, id string, at time.Time) error {
	s, err := l.load(ctx, id)
	if err != nil {
		return err
	}
	next := s.clone()
	next.SweepAt = earlier(next.SweepAt, at)
	_, err = l.store(ctx, next, s.revision)
	return err
}

// emit publishes an event that no record holds, and that is seen now.
func (l *ledger) emit(ctx context.Context, f *fact) error {
	if l.local != nil {
		if err := l.local.PublishLocal(f.Seen, eventsTopic, f); err != nil {
			return fmt.Errorf("notify: publish to %s: %w", eventsTopic, err)
		}
		return nil
	}
	p, err := l.ofFact(f)
	if err != nil {
		return err
	}
	return l.publish(ctx, p)
}
