package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

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
		level, stack := slog.LevelInfo, stackOf(failure)
		if stack.Key != "" {
			level = slog.LevelError
		}
		p.log.Log(ctx, level, "notify: a provider failed", "notification", c.ID, "provider", policy.Name,
			"verdict", string(failure.Verdict), "class", string(failure.Class), "error", failure, stack)
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
		p.log.WarnContext(ctx, "notify: a provider could not be asked", "provider", sender.policy.Name, "notification", s.ID, "error", err, stackOf(err))
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
