package notify

import (
	"context"
	"errors"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

func (p *pipeline) deliverStep(ctx context.Context, w *work) error {
	return retryConflicts(ctx, func() error { return p.deliverOnce(ctx, w) })
}

// deliverOnce goes from one move of the deliver step to its acknowledgement.
func (p *pipeline) deliverOnce(ctx context.Context, w *work) error {
	s, err := p.ledger.load(ctx, w.ID)
	switch {
	case errors.Is(err, backend.ErrNotFound) && w.Record != nil:
		s, err = stored{record: w.Record}, nil // there were no records when it began
	case errors.Is(err, backend.ErrNotFound):
		p.log.WarnContext(ctx, "notify: the record of a notification to be delivered is gone", "notification", w.ID)
		return nil
	case err != nil:
		return err
	}
	span := p.began(ctx, OperationDeliver, s.record, w)
	return span.during(ctx, func(ctx context.Context) error { return p.deliverLoaded(ctx, s, w) })
}

func (p *pipeline) deliverLoaded(ctx context.Context, s stored, w *work) error {
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
		return p.begin(ctx, s, w, now)
	case moveRepeat:
		return p.repeat(ctx, s, w, now)
	case moveAsk:
		return p.askAbout(ctx, s, w)
	}
	if c == nil {
		return nil
	}
	return p.ledger.commit(ctx, s, c)
}

// begin chooses a provider, renders, stores the intent and calls (6).
func (p *pipeline) begin(ctx context.Context, s stored, w *work, now time.Time) error {
	c := p.decider.change(s.record, now)
	held, err := p.askAgain(ctx, c, w.Leg)
	switch {
	case err != nil:
		return err
	case held:
		return p.ledger.commit(ctx, s, c)
	}
	chosen := p.choose(s.record, w.Leg, w.Ordinal, now)
	switch {
	case chosen.reason != "":
		c.endLeg(w.Leg, chosen.reason)
		return p.ledger.commit(ctx, s, c)
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
			p.log.ErrorContext(ctx, "notify: a message could not be rendered", "notification", s.ID, "channel", s.leg(w.Leg).Channel, "error", err)
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
func (p *pipeline) repeat(ctx context.Context, s stored, w *work, now time.Time) error {
	sender := p.sender(s.leg(w.Leg).Channel, s.leg(w.Leg).attempt(w.Ordinal).Provider)
	done, until, _ := sender.turn(s.attemptKey(w.Leg, w.Ordinal), now)
	if done == nil {
		return p.postpone(ctx, s, w, until)
	}
	defer p.announceBreaker(ctx, sender)
	c := p.decider.change(s.record, now)
	c.grant(w.Leg, w.Ordinal, sender.policy)
	return p.grantAndCall(ctx, s, c, w, choice{sender: sender, done: done})
}

// grantAndCall stores the change that grants an epoch, calls, and stores the
// answer.
func (p *pipeline) grantAndCall(ctx context.Context, s stored, c *change, w *work, chosen choice) error {
	s, err := p.ledger.save(ctx, c.finish(), s.revision)
	if err != nil && s.record == nil {
		chosen.done(errNotCalled)
		return err
	}
	leg := c.leg(w.Leg)
	a := leg.attempt(w.Ordinal)
	epoch := a.Granted
	policy := chosen.sender.policy
	if err != nil || time.Until(a.Lease.Until) < policy.AttemptTimeout {
		// The intent is stored and its events are not published, or the write
		// took so long that the call might outlive its lease.
		chosen.done(errNotCalled)
		return p.answered(ctx, w, answer{epoch: epoch, err: &SendError{Verdict: VerdictTemporary, Class: ClassOther}, pause: policy.pause(epoch, nil)})
	}
	message, err := leg.Message.decoded(chosen.sender.decode)
	if err != nil {
		chosen.done(errNotCalled)
		return p.answered(ctx, w, answer{epoch: epoch, err: &SendError{Verdict: VerdictPermanent, Class: ClassContent, Err: err}})
	}
	receipt, failure := p.call(ctx, chosen.sender, c.record, call{
		key: a.Key, message: message, id: c.ID, tenant: c.Tenant, category: c.Category,
		number: epoch, expiresAt: c.Deadline,
	})
	if failure == nil {
		chosen.done(nil)
	} else {
		chosen.done(failure)
		p.log.InfoContext(ctx, "notify: a provider failed", "notification", c.ID, "provider", policy.Name,
			"verdict", string(failure.Verdict), "class", string(failure.Class), "error", failure)
	}
	calls, _ := leg.calls(policy.Name)
	return p.answered(ctx, w, answer{epoch: epoch, receipt: receipt, err: failure, pause: policy.pause(calls, failure)})
}

// call makes one call, which it counts.
func (p *pipeline) call(ctx context.Context, to *sender, r *record, c call) (Receipt, *SendError) {
	h := p.hooks.Load()
	var span Begun
	if h.traces() && sampled(r.TraceParent) {
		span = h.Begin(ctx, Span{
			Operation: OperationCall, NotificationID: r.ID, Channel: to.channel, Provider: to.policy.Name,
			TraceParent: r.TraceParent, TraceState: r.TraceState,
		})
	}
	began := time.Now()
	receipt, err := to.call(span.within(ctx), c)
	failure, took := AsSendError(err), time.Since(began)
	to.stats.handled(1, took, failure != nil)
	called := ProviderCall{Channel: to.channel, Provider: to.policy.Name, Took: took}
	if failure != nil {
		called.Verdict, called.Class = failure.Verdict, failure.Class
	}
	span.end(string(called.Class))
	if h != nil && h.Called != nil {
		h.Called(called)
	}
	return receipt, failure
}

// answered stores an answer (11 to 15). An answer that is known should not be
// lost: it outlives the call's context, and a store that fails is tried again
// while the lease may live.
func (p *pipeline) answered(ctx context.Context, w *work, ans answer) error {
	limit := withTimeLimit(context.WithoutCancel(ctx), answerPatience)
	defer limit.cancel()
	ctx = limit
	for n := 1; ; n++ {
		err := retryConflicts(ctx, func() error { return p.answerOnce(ctx, w, ans) })
		if err == nil || errors.Is(err, backend.ErrClosed) {
			return err
		}
		p.log.WarnContext(ctx, "notify: an answer could not be stored", "notification", w.ID, "error", err)
		if !sleep(ctx, stepBackoff(n)) {
			return err
		}
	}
}

// answerPatience is how long a store that fails is tried again with an answer.
const answerPatience = 10 * time.Second

func (p *pipeline) answerOnce(ctx context.Context, w *work, ans answer) error {
	s, err := p.ledger.load(ctx, w.ID)
	if err != nil {
		return err
	}
	c, again, at := p.decider.answer(s.record, w.Leg, w.Ordinal, ans, time.Now())
	if s, err = p.ledger.save(ctx, c.finish(), s.revision); err != nil {
		return err
	}
	if id := ans.receipt.MessageID; ans.err == nil && id != "" {
		// Also when an earlier try has stored the answer, and then failed.
		provider := s.leg(w.Leg).attempt(w.Ordinal).Provider
		p.parkedReports(ctx, s, []string{messageAlias(provider, clip(id, maxMessageID))})
	}
	if again {
		return p.ledger.putBack(ctx, *w, at)
	}
	return nil
}

// askAbout asks the provider what became of an ordinal in doubt (10).
func (p *pipeline) askAbout(ctx context.Context, s stored, w *work) error {
	a := s.leg(w.Leg).attempt(w.Ordinal)
	sender := p.sender(s.leg(w.Leg).Channel, a.Provider)
	if until := sender.pausedUntil(time.Now()); !until.IsZero() {
		return p.await(ctx, s, w, until)
	}
	found, err := sender.ask(ctx, a.Key)
	if err != nil {
		p.log.WarnContext(ctx, "notify: a provider could not be asked", "provider", sender.policy.Name, "notification", s.ID, "error", err)
	}
	c := p.decider.asked(s.record, w.Leg, w.Ordinal, found, sender.policy.pause(a.Asks+1, nil), time.Now())
	if c == nil {
		return nil
	}
	if s, err = p.ledger.save(ctx, c.finish(), s.revision); err == nil && found != nil {
		p.parkedReports(ctx, s, s.Aliases)
	}
	return err
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
