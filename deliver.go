package notify

import (
	"context"
	"errors"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func (p *pipeline) deliverStep(ctx context.Context, w *work) error {
	var in slot
	defer in.leave() // when the answer is stored: until then a crash leaves it in doubt
	return retryConflicts(ctx, func() error { return p.deliverOnce(ctx, w, &in) })
}

// deliverOnce goes from one move of the deliver step to its acknowledgement.
func (p *pipeline) deliverOnce(ctx context.Context, w *work, in *slot) error {
	s, err := p.loadToDeliver(ctx, w)
	if err != nil || s.record == nil {
		return err
	}
	span := p.began(ctx, OperationDeliver, s.record, w)
	return span.during(ctx, func(ctx context.Context) error {
		err := p.deliverLoaded(ctx, s, w, in)
		for busy := (*busyError)(nil); errors.As(err, &busy); {
			if err = in.wait(ctx, busy.sender.slots, s.Urgent); err != nil {
				break
			}
			if s, err = p.loadToDeliver(ctx, w); err != nil || s.record == nil {
				break
			}
			err = p.deliverLoaded(ctx, s, w, in)
		}
		return err
	})
}

// busyError says that a provider has no slot free for the call.
type busyError struct{ sender *sender }

func (e *busyError) Error() string { return "the provider " + e.sender.policy.Name + " is busy" }

// loadToDeliver loads the record, nil if it is gone.
func (p *pipeline) loadToDeliver(ctx context.Context, w *work) (stored, error) {
	s, err := p.ledger.load(ctx, w.ID)
	switch {
	case errors.Is(err, backend.ErrNotFound) && w.Record != nil:
		return stored{record: w.Record}, nil // there were no records when it began
	case errors.Is(err, backend.ErrNotFound):
		p.log.WarnContext(ctx, "notify: the record of a notification to be delivered is gone", "notification", w.ID)
		return stored{}, nil
	}
	return s, err
}

func (p *pipeline) deliverLoaded(ctx context.Context, s stored, w *work, in *slot) error {
	s, err := p.ledger.flush(ctx, s)
	if err != nil {
		return err
	}
	now := time.Now()
	c, next, at := p.decider.deliver(s.record, w.Leg, w.Ordinal, now)
	switch next {
	case movePutBack:
		return p.ledger.putBack(ctx, *w, at)
	case moveBegin:
		return p.begin(ctx, s, w, in, now)
	case moveRepeat:
		return p.repeat(ctx, s, w, in, now)
	case moveAsk:
		return p.askAbout(ctx, s, w)
	}
	if c == nil {
		return nil
	}
	return p.ledger.commit(ctx, s, c)
}

// begin chooses a provider, renders, stores the intent and calls (6).
func (p *pipeline) begin(ctx context.Context, s stored, w *work, in *slot, now time.Time) error {
	c := p.decider.change(s.record, now)
	held, err := p.askAgain(ctx, c, w.Leg)
	switch {
	case err != nil:
		return err
	case held:
		return p.ledger.commit(ctx, s, c)
	}
	chosen := p.choose(s.record, w.Leg, w.Ordinal, in, now)
	switch {
	case chosen.reason != "":
		c.endLeg(w.Leg, chosen.reason)
		return p.ledger.commit(ctx, s, c)
	case chosen.busy:
		return &busyError{chosen.sender}
	case chosen.sender == nil:
		return p.postpone(ctx, s, w, chosen.until)
	}
	defer p.announceBreaker(ctx, chosen.sender)
	message := s.leg(w.Leg).Message
	if message == nil {
		if message, err = p.renderLeg(ctx, c.record, w.Leg); err != nil {
			chosen.done(errNotCalled)
			if ctx.Err() != nil {
				return err
			}
			p.log.ErrorContext(ctx, "notify: a message could not be rendered", "notification", s.ID, "channel", s.leg(w.Leg).Channel, "error", err, stackOf(err))
			c.endLeg(w.Leg, EndUnrenderable)
			return p.ledger.commit(ctx, s, c)
		}
	}
	if len(p.keepers) > 0 && len(s.leg(w.Leg).Attempts) == 0 {
		if s, err = p.settleMessage(ctx, s, c, w.Leg, message); err == nil {
			err = p.keep(ctx, s.record, w.Leg)
		}
		if err != nil {
			chosen.done(errNotCalled)
			return err
		}
		// The call's lease begins after that, if the leg may still be sent.
		now = time.Now()
		if ended, _, _ := p.decider.deliver(s.record, w.Leg, w.Ordinal, now); ended != nil {
			chosen.done(errNotCalled)
			return p.ledger.commit(ctx, s, ended)
		}
		c = p.decider.change(s.record, now)
	}
	c.begin(w.Leg, chosen.sender.policy, message)
	return p.grantAndCall(ctx, s, c, w, chosen)
}

// settleMessage stores what the leg's message is before anything is done with it,
// so that a step that is done again does it with the same. It returns the record.
func (p *pipeline) settleMessage(ctx context.Context, s stored, c *change, number int, message *rendered) (stored, error) {
	if s.leg(number).Message != nil {
		return s, nil
	}
	c.rendered(number, message)
	return p.ledger.save(ctx, c.finish(), s.revision)
}

// renderLeg makes a leg's message, one that can travel if it has to.
func (p *pipeline) renderLeg(ctx context.Context, r *record, number int) (*rendered, error) {
	message, err := p.render.message(ctx, r, number)
	if err == nil && p.ledger.carried != nil {
		err = p.ledger.carried.room(r, number, message)
	}
	return message, err
}

// repeat calls again with the same key and bytes (9).
func (p *pipeline) repeat(ctx context.Context, s stored, w *work, in *slot, now time.Time) error {
	sender := p.sender(s.leg(w.Leg).Channel, s.leg(w.Leg).attempt(w.Ordinal).Provider)
	done, until, why := sender.turn(s.attemptKey(w.Leg, w.Ordinal), in, now)
	switch {
	case why == allBusy:
		return &busyError{sender}
	case done == nil:
		return p.postpone(ctx, s, w, until)
	}
	defer p.announceBreaker(ctx, sender)
	c := p.decider.change(s.record, now)
	c.grant(w.Leg, w.Ordinal, sender.policy)
	return p.grantAndCall(ctx, s, c, w, choice{sender: sender, done: done})
}

// postpone puts work back because its provider is not ready for a call.
func (p *pipeline) postpone(ctx context.Context, s stored, w *work, until time.Time) error {
	leg := s.leg(w.Leg)
	until = earlier(until, s.Deadline)
	if leg.attempt(w.Ordinal) == nil {
		until = earlier(until, leg.budgetEnd(p.decider.budgets.Channel))
	}
	return p.await(ctx, s, w, until)
}

// await puts work back until a time. A longer wait is stored, or the sweep
// would take the work for overdue.
func (p *pipeline) await(ctx context.Context, s stored, w *work, until time.Time) error {
	if p.ledger.delayed != nil && time.Until(until) < sweepGrace {
		if err := p.ledger.publishAt(ctx, *w, until); !errors.Is(err, backend.ErrOverloaded) {
			return err
		}
	}
	c := p.decider.change(s.record, time.Now())
	c.pushLeg(w.Leg, until)
	return p.ledger.commit(ctx, s, c)
}

func (p *pipeline) announceBreaker(ctx context.Context, s *sender) {
	for _, event := range s.takeChanges() {
		p.emit(ctx, event, nil)
	}
}
