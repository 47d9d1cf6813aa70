package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func (p *pipeline) routeStep(ctx context.Context, w *work) error {
	return retryConflicts(ctx, func() error { return p.routeOnce(ctx, w) })
}

func (p *pipeline) routeOnce(ctx context.Context, w *work) error {
	s, err := p.taken(ctx, w)
	if err != nil {
		return err
	}
	if s.record == nil {
		p.log.WarnContext(ctx, "notify: the record of a notification to be routed is gone", "notification", w.ID)
		return nil
	}
	span := p.began(ctx, OperationRoute, s.record, w)
	return span.during(ctx, func(ctx context.Context) error { return p.routeTaken(ctx, s, w) })
}

func (p *pipeline) routeTaken(ctx context.Context, s stored, w *work) error {
	s, err := p.ledger.flush(ctx, s)
	if err != nil {
		return err
	}
	now := time.Now()
	c, next := p.decider.route(s.record, now)
	switch next {
	case routeWait:
		return p.ledger.putBack(ctx, work{Version: workVersion, ID: s.ID, Topic: w.Topic}, s.HoldUntil)
	case routeToPlan:
		if s.Vouched && p.planner.misses(s.Request) && now.Before(later(s.AcceptedAt, s.HoldUntil).Add(strangerPatience)) {
			return p.leaveToOthers(ctx, w, now)
		}
		if err := p.plan(ctx, c); err != nil {
			return err
		}
	}
	if c == nil {
		return nil
	}
	return p.ledger.commit(ctx, s, c)
}

// strangerPatience is how long a notification with a channel that has no
// provider here, but had one where it was accepted, is left to others: that of
// a newer version, or one that another process has. After that it is taken for a
// provider that was given up.
const strangerPatience = time.Hour

// errStranger keeps work where it is.
var errStranger = fmt.Errorf("notify: a channel has no provider in this process: %w", ErrUnsupported)

// leaveToOthers puts route work back for another process. Only work that comes
// again by itself can be left without.
func (p *pipeline) leaveToOthers(ctx context.Context, w *work, now time.Time) error {
	if p.ledger.delayed == nil {
		return errStranger
	}
	return p.ledger.publishAt(ctx, *w, now.Add(unknownProviderPause))
}

// taken loads the record of route work. Where Send stored none, or a cancel
// came first and left its mark, the work brings it.
func (p *pipeline) taken(ctx context.Context, w *work) (stored, error) {
	s, err := p.ledger.load(ctx, w.ID)
	switch {
	case errors.Is(err, backend.ErrNotFound) && w.Record != nil:
		return stored{record: w.Record}, nil
	case errors.Is(err, backend.ErrNotFound):
		return stored{}, nil
	case err != nil:
		return stored{}, err
	case s.Request == nil && !s.settled() && w.Record != nil:
		taken := w.Record.clone()
		taken.Canceled = s.Canceled
		s.record = taken
	}
	return s, nil
}

// plan asks the directory and the guards, and completes the change.
func (p *pipeline) plan(ctx context.Context, c *change) error {
	recipient, err := p.planner.recipient(ctx, c.Request.To)
	if errors.Is(err, ErrNotFound) {
		c.unknownRecipient()
		return nil
	}
	if err != nil {
		return err
	}
	c.Recipient = &recipient
	request := guardRequest(c.record, recipient, c.now)
	if len(p.guards) > 0 {
		request.Channels = p.planner.route(c.Request).Channels()
	}
	verdict, err := p.ask(ctx, request)
	switch {
	case err != nil:
		return err
	case verdict.kind == decisionSuppress:
		c.suppress(verdict.guard, verdict.reason)
	case verdict.kind == decisionDelay && verdict.until.After(c.now):
		c.hold(verdict.until, Delayed{Until: verdict.until, Reason: DelayGuard, Guard: verdict.guard, GuardReason: verdict.reason})
	default:
		c.plan(p.planner.plan(c.Request, recipient, verdict.without), func(channel Channel) string {
			return p.hash(channel, recipient.Addresses[channel])
		})
	}
	return nil
}
