package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// sender is a provider in use: its policy, its circuit breaker and its rate
// limit, with the message's type erased.
type sender struct {
	policy   providerPolicy
	channel  Channel
	form     reflect.Type // of the messages that it takes
	provider any
	send     func(ctx context.Context, c call) (Receipt, error)
	decode   func(raw json.RawMessage) (Message, error)
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}] // nil: none
	limiter  *rate.Limiter                              // nil: no limit
	slots    *slots                                     // nil: no limit
	stats    *counters

	mu sync.Mutex
	// reserved holds the turns that the limiter granted to work which waits
	// for its time, by attempt key.
	reserved map[string]time.Time
	// changed are the breaker's changes of state that are not announced yet.
	changed   []gobreaker.State
	openUntil time.Time
	heldUntil time.Time // the service asked for a pause until then
}

// call is one call of a provider.
type call struct {
	key       string
	message   Message
	id        string
	tenant    string
	category  string
	number    int
	expiresAt time.Time
}

// errNotCalled tells the circuit breaker that no call was made after all.
var errNotCalled = errors.New("not called")

func newSender(policy providerPolicy, channel Channel) *sender {
	s := &sender{
		policy: policy, channel: channel, reserved: map[string]time.Time{}, stats: &counters{},
		slots: newSlots(policy.concurrency()),
	}
	if policy.Rate > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(policy.Rate), policy.Burst)
	}
	if policy.BreakerFailures > 0 {
		s.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name:    policy.Name,
			Timeout: policy.BreakerCooldown,
			ReadyToTrip: func(counts gobreaker.Counts) bool {
				return counts.ConsecutiveFailures >= uint32(policy.BreakerFailures)
			},
			IsExcluded: func(err error) bool { return errors.Is(err, errNotCalled) },
			IsSuccessful: func(err error) bool {
				if err == nil {
					return true
				}
				var failure *SendError
				if !errors.As(err, &failure) {
					return true
				}
				switch failure.Class {
				case ClassNetwork, ClassTimeout, ClassService, ClassOther:
					return false
				default:
					return true // it answered
				}
			},
			OnStateChange: func(_ string, _, to gobreaker.State) { s.noteBreaker(to) },
		})
	}
	return s
}

// turn asks for a call of the attempt now, in a slot. It returns how to report the
// call's outcome; or when to ask again, and why.
func (s *sender) turn(key string, in *slot, now time.Time) (done func(error), until time.Time, why obstacle) {
	if until, ok := s.held(key, now); ok {
		return nil, until, askedForPause
	}
	done = func(error) {}
	if s.breaker != nil {
		allowed, err := s.breaker.Allow()
		if err != nil {
			return nil, s.closedAgain(now), breakerOpen
		}
		done = allowed
	}
	if !in.take(s.slots) {
		done(errNotCalled)
		return nil, time.Time{}, allBusy
	}
	if until := s.limited(key, now); until.After(now) {
		done(errNotCalled)
		return nil, until, rateLimited
	}
	return done, time.Time{}, 0
}

// call makes one call. A panic of the provider counts as uncertain.
func (s *sender) call(ctx context.Context, c call) (receipt Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &SendError{Verdict: VerdictUncertain, Class: ClassOther, Err: panicError(p)}
		}
	}()
	limit := withTimeLimit(ctx, s.policy.AttemptTimeout)
	defer limit.cancel()
	receipt, err = s.send(limit, c)
	s.heed(AsSendError(err))
	return receipt, err
}

// ask asks the provider what became of an attempt: nil if it knows of none.
func (s *sender) ask(ctx context.Context, key string) (*Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, s.policy.AttemptTimeout)
	defer cancel()
	var found Receipt
	err := safely(func() (err error) {
		found, err = s.provider.(Asker).Ask(ctx, key)
		return err
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &found, nil
}

// close closes the provider, if it can be.
func (s *sender) close() error {
	if closer, ok := s.provider.(io.Closer); ok {
		if err := safely(closer.Close); err != nil {
			return fmt.Errorf("notify: close the provider %s: %w", s.policy.Name, err)
		}
	}
	return nil
}
