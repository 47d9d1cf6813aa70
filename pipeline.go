package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// pipeline runs the route and deliver steps: it loads the record, has the
// decider decide, saves, and acknowledges only what is done.
type pipeline struct {
	ledger  *ledger
	decider *decider
	senders map[Channel][]*sender
	guards  []namedGuard
	keepers []func(context.Context, Outgoing) error
	planner *planner
	render  *renderers
	hash    func(Channel, string) string
	log     *slog.Logger
	letters backend.DeadLetters
	// base ends what is under way when the drain is over.
	base context.Context
	// attendance is in the batches under way.
	attendance *attendance
	newer      *tally // of what was left to newer versions
	// parkedReports applies the reports that came before their message ID was
	// known.
	parkedReports func(ctx context.Context, s stored, aliases []string)
	// emit raises an event about the machinery.
	emit  func(ctx context.Context, data any, about *Envelope)
	hooks *atomic.Pointer[Hooks]
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
		if !p.attendance.begin() {
			return 0, ErrClosed
		}
		defer p.attendance.end()
		ctx := p.base
		var w work // a step does not keep it
		for b.Next() {
			if err = p.do(ctx, topic, b.Entry(), &w, step); err != nil {
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

// do does what an entry of a work topic asks for, which w is to hold.
func (p *pipeline) do(ctx context.Context, topic string, e backend.Entry, w *work, step func(context.Context, *work) error) (err error) {
	if *w, err = workOf(e); err == nil {
		w.Topic = topic
		err = safely(func() error { return p.carry(ctx, w, step) })
	} else if !errors.Is(err, errNewer) {
		return p.bury(ctx, topic, e, err)
	}
	if errors.Is(err, errNewer) {
		return p.leaveToNewer(ctx, topic, e, err)
	}
	if err != nil && ctx.Err() == nil {
		p.log.WarnContext(ctx, "notify: a step failed, and will be tried again", "topic", topic, "notification", w.ID, "error", err, stackOf(err))
	}
	return err
}

// carry runs a step with the record that its work brings.
func (p *pipeline) carry(ctx context.Context, w *work, step func(context.Context, *work) error) (err error) {
	if carried := p.ledger.carried; carried != nil {
		carried.bring(w)
		done := false
		defer func() { carried.leave(w, done) }()
		err = step(ctx, w)
		done = err == nil
		return err
	}
	return step(ctx, w)
}

// began begins the span of a step with a notification that has a trace.
func (p *pipeline) began(ctx context.Context, o Operation, r *record, w *work) Begun {
	h := p.hooks.Load()
	if h == nil {
		return Begun{}
	}
	s := Span{
		Operation: o, Topic: w.Topic, Group: pipelineGroup, NotificationID: r.ID,
		TraceParent: r.TraceParent, TraceState: r.TraceState,
	}
	if leg := r.leg(w.Leg); leg != nil {
		s.Channel = leg.Channel
	}
	return h.goOn(ctx, s)
}

// bury puts what is not work among the dead letters.
func (p *pipeline) bury(ctx context.Context, topic string, e backend.Entry, cause error) error {
	p.log.ErrorContext(ctx, "notify: what is not work became a dead letter", "topic", topic, "error", cause)
	wire, err := e.Wire()
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
