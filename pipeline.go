package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// pipeline runs the route and deliver steps: it loads the record, has the
// decider decide, saves, and acknowledges only what is done.
type pipeline struct {
	ledger  *ledger
	decider *decider
	senders map[Channel][]*sender
	guards  []namedGuard
	planner *planner
	render  *renderers
	hash    func(Channel, string) string
	log     *slog.Logger
	letters backend.DeadLetters
	// base ends what is under way when the drain is over.
	base context.Context
	// parkedReports applies the reports that came before their message ID was
	// known.
	parkedReports func(ctx context.Context, s stored, aliases []string)
	// emit raises an event about the machinery.
	emit func(ctx context.Context, data any)
}

// pipelineGroup is the consumer group of the pipeline's steps.
const pipelineGroup = "notify"

// routeConsumption and deliverConsumption say what the steps consume.
func (p *pipeline) routeConsumption() backend.Consumption {
	return p.consumption(routeTopic, routeConcurrency, p.routeStep)
}

func (p *pipeline) deliverConsumption(c Channel, urgent bool) backend.Consumption {
	return p.consumption(deliverTopic(c, urgent), deliverConcurrency, p.deliverStep)
}

// How many notifications a topic's step works on at once, in one process.
const (
	routeConcurrency   = 16
	deliverConcurrency = 64
)

func (p *pipeline) consumption(topic string, concurrency int, step func(context.Context, *work) error) backend.Consumption {
	handle := func(_ context.Context, b *backend.Batch) (done int, err error) {
		ctx := p.base
		var w work // a step does not keep it
		for b.Next() {
			w, err = workOf(b.Message())
			switch {
			case errors.Is(err, errNewerWork):
				return done, err // kept for a program that understands it
			case err != nil:
				if err := p.bury(ctx, topic, b.Message(), err); err != nil {
					return done, err
				}
				done++
				continue
			}
			w.Topic = topic
			if err := safely(func() error { return step(ctx, &w) }); err != nil {
				if ctx.Err() == nil {
					p.log.WarnContext(ctx, "notify: a step failed, and will be tried again", "topic", topic, "notification", w.ID, "error", err)
				}
				return done, err
			}
			done++
		}
		return done, nil
	}
	return backend.Consumption{
		Topic: topic, Group: pipelineGroup, Concurrency: concurrency, Handle: handle,
		Backoff: func(attempt int, _ error) time.Duration { return stepBackoff(attempt) },
	}
}

// safely makes a panic of the host's code an error. Whole steps run in it too,
// since the host's code is in unlikely places, such as an UnmarshalJSON.
func safely(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return call()
}

// bury puts what is not work among the dead letters.
func (p *pipeline) bury(ctx context.Context, topic string, m *message.Message, cause error) error {
	p.log.ErrorContext(ctx, "notify: what is not work became a dead letter", "topic", topic, "error", cause)
	wire, err := backend.Wire(m)
	if err != nil {
		return fmt.Errorf("notify: encode a dead letter: %w", err)
	}
	_, _, err = p.letters.Bury(ctx, backend.DeadLetter{
		Group: pipelineGroup, Topic: topic, Message: wire, Class: string(ObserverUndecodable),
		Error: clip(cause.Error(), maxLetterError), Attempts: 1, At: time.Now(),
	})
	if err != nil {
		return fmt.Errorf("notify: store a dead letter: %w", err)
	}
	return nil
}

// stepBackoff is the pause after a step that could not be done: its store, the
// directory or a guard failed.
func stepBackoff(attempt int) time.Duration {
	return backoff(100*time.Millisecond, 30*time.Second)(attempt)
}

// retryConflicts runs a step again while another one changed the record: at
// once at first, then with pauses, until ctx ends.
func retryConflicts(ctx context.Context, step func() error) error {
	for n := 1; ; n++ {
		err := step()
		if !errors.Is(err, backend.ErrConflict) {
			return err
		}
		if n < conflictsAtOnce {
			continue
		}
		if !sleep(ctx, backoff(time.Millisecond, time.Second)(n-conflictsAtOnce+1)) {
			return err
		}
	}
}

// conflictsAtOnce is how many conflicts in a row need no pause: whoever won has
// moved on.
const conflictsAtOnce = 8

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
	if s, err = p.ledger.flush(ctx, s); err != nil {
		return err
	}
	now := time.Now()
	c, next := p.decider.route(s.record, now)
	switch next {
	case routeWait:
		return p.ledger.putBack(ctx, work{Version: workVersion, ID: s.ID, Topic: w.Topic}, s.HoldUntil)
	case routeToPlan:
		if err := p.plan(ctx, c); err != nil {
			return err
		}
	}
	if c == nil {
		return nil
	}
	return p.ledger.commit(ctx, s, c)
}

// taken loads the record of route work. Where Send stored none, or a cancel
// came first and left its mark, the work brings it.
func (p *pipeline) taken(ctx context.Context, w *work) (stored, error) {
	s, err := p.ledger.load(ctx, w.ID)
	switch {
	case errors.Is(err, backend.ErrNotFound) && w.Accepted != nil:
		return stored{record: w.Accepted}, nil
	case errors.Is(err, backend.ErrNotFound):
		return stored{}, nil
	case err != nil:
		return stored{}, err
	case s.Request == nil && !s.settled() && w.Accepted != nil:
		taken := w.Accepted.clone()
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
