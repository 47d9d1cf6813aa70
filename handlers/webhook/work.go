package webhook

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

const (
	maxClaims     = 64 // that are asked for at once
	storeTimeout  = 10 * time.Second
	finishBackoff = 500 * time.Millisecond
)

// randomFloat is from 0 to 1.
func randomFloat() float64 { return rand.Float64() }

// Work implements [notify.Worker]: it sends what is due. It returns when calls
// that are under way have ended.
func (s *Sender) Work(ctx context.Context, stopping <-chan struct{}) error {
	bound, stop := context.WithCancel(context.Background()) // when no more is begun
	defer stop()
	var lanes sync.WaitGroup
	errs := make([]error, len(s.wakes))
	for i := range s.wakes {
		lanes.Go(func() {
			defer stop() // one that fails takes the other along, to be started again together
			errs[i] = safely(func() error { return s.work(ctx, bound, Lane(i)) })
		})
	}
	lanes.Go(func() {
		select {
		case <-stopping:
		case <-ctx.Done():
		case <-bound.Done():
		}
		stop()
	})
	lanes.Wait()
	return errors.Join(errs...)
}

// work sends what is due in a lane until bound ends, then waits for its calls.
func (s *Sender) work(ctx, bound context.Context, lane Lane) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	room := make(chan struct{}, s.config.Calls)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-bound.Done():
			return nil
		case <-s.wakes[lane]:
		case <-timer.C:
		}
		// Each call that ends wakes the lane.
		next := time.Time{}
		for free := cap(room) - len(room); free > 0 && bound.Err() == nil; free = cap(room) - len(room) {
			claims, at, err := s.claim(bound, lane, min(free, maxClaims))
			if err != nil {
				if bound.Err() != nil {
					return nil
				}
				return fmt.Errorf("webhook: claim what is due: %w", err)
			}
			for _, c := range claims {
				room <- struct{}{}
				calls.Go(func() {
					then := lane
					err := safely(func() (err error) { then, err = s.send(ctx, c); return err })
					if err != nil {
						s.config.Logger.Error("webhook: what came of a call could not be stored, and it will be made again",
							"endpoint", c.Status.ID, "event_id", c.Message.ID, "error", err)
					}
					<-room
					s.wakeLane(lane)
					s.wakeLane(then)
				})
			}
			if next = at; len(claims) < min(free, maxClaims) {
				break
			}
		}
		pause := s.config.Poll
		if !next.IsZero() {
			pause = min(pause, max(time.Until(next), 0))
		}
		if len(room) == cap(room) {
			pause = s.config.Poll
		}
		timer.Reset(pause)
	}
}

// safely makes a panic an error, without its value: the store is the host's code.
func safely(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("webhook: panic with a %T", p)
		}
	}()
	return do()
}

func (s *Sender) claim(ctx context.Context, lane Lane, limit int) ([]Claim, time.Time, error) {
	bound, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	now := time.Now()
	return s.store.Claim(bound, Claiming{Now: now, Until: now.Add(s.lease()), Lane: lane, Limit: limit})
}

func (s *Sender) lease() time.Duration { return s.config.CallTimeout + leaseMargin }

// send makes one attempt, and returns the lane that the endpoint is in then. If
// ctx ends first, nobody knows what came of it, and the lease's end has it made
// again, as after an error.
func (s *Sender) send(ctx context.Context, c Claim) (Lane, error) {
	a, err := s.client.call(ctx, &c.Status.Endpoint, &c.Message)
	if err != nil {
		return c.Status.Lane(), nil
	}
	o := s.config.decide(c, a, s.random())
	then := Fast
	if o.Slow || !o.Attempt.Succeeded() {
		then = Slow
	}
	bound, cancel := context.WithDeadline(ctx, c.Until)
	defer cancel()
	for pause := finishBackoff; ; pause *= 2 {
		if err = s.finish(bound, c, o); err == nil || errors.Is(err, notify.ErrNotFound) {
			return then, nil
		}
		select {
		case <-bound.Done():
			return then, err
		case <-time.After(pause):
		}
	}
}

// finish stores what came of a claim. The event comes before, so that it is not
// lost if the process ends between.
func (s *Sender) finish(ctx context.Context, c Claim, o Outcome) error {
	if o.Disable == "" {
		return s.store.Finish(ctx, c, o)
	}
	now, err := s.store.Get(ctx, c.Status.ID)
	switch {
	case err != nil:
		return err
	case now.URL != c.Status.URL && o.Disable == DisabledGone: // the new one has not been asked
		o.Disable, o.Next = "", o.Attempt.At.Add(o.Attempt.Took)
		o.Attempt.Next = o.Next
	case now.disabledBy(c, o):
		e, options := disabledEvent(c, o)
		switch _, err := notify.Emit(ctx, s.notifier.Load(), e, options); {
		case errors.Is(err, notify.ErrClosed):
			o.Disable = "" // the Notifier ends: what is answered next time disables it
		case err != nil:
			return err
		}
	default: // it does not disable the endpoint as it is by now
		o.Disable = ""
	}
	return s.store.Finish(ctx, c, o)
}
