package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	provider any
	send     func(ctx context.Context, c call) (Receipt, error)
	decode   func(raw json.RawMessage) (Message, error)
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}] // nil: none
	limiter  *rate.Limiter                              // nil: no limit
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
	s := &sender{policy: policy, channel: channel, reserved: map[string]time.Time{}, stats: &counters{}}
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

// noteBreaker runs inside the breaker's lock, so the event waits in changed.
func (s *sender) noteBreaker(to gobreaker.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = append(s.changed, to)
	if to == gobreaker.StateOpen {
		s.openUntil = time.Now().Add(s.policy.BreakerCooldown)
	}
}

// takeChanges returns what ProviderDown and ProviderUp are raised for.
func (s *sender) takeChanges() []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []any
	for _, state := range s.changed {
		switch state {
		case gobreaker.StateOpen:
			events = append(events, ProviderDown{Channel: s.channel, Provider: s.policy.Name, Until: s.openUntil})
		case gobreaker.StateClosed:
			events = append(events, ProviderUp{Channel: s.channel, Provider: s.policy.Name})
		}
	}
	s.changed = nil
	return events
}

// turn asks for a call of the attempt now. It returns how to report the call's
// outcome; or when to ask again, and why.
func (s *sender) turn(key string, now time.Time) (done func(error), until time.Time, why obstacle) {
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
	if until := s.limited(key, now); until.After(now) {
		done(errNotCalled)
		return nil, until, rateLimited
	}
	return done, time.Time{}, 0
}

// closedAgain is when the breaker may let a call through.
func (s *sender) closedAgain(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.openUntil.After(now) {
		return s.openUntil
	}
	return now.Add(time.Second) // half open: another call is probing
}

// maxReserved bounds the turns that wait; beyond it work asks again later. A
// turn that nobody took for abandonedAfter, because its work was canceled or
// another process has it, is dropped then.
const (
	maxReserved    = 100_000
	abandonedAfter = time.Minute
)

// limited takes a turn of the rate limit, or says when the attempt's turn is:
// the work waits for it in its topic, and holds up nobody meanwhile.
func (s *sender) limited(key string, now time.Time) time.Time {
	if s.limiter == nil {
		return time.Time{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.reserved[key]; ok {
		if !at.After(now) {
			delete(s.reserved, key)
		}
		return at
	}
	turn := s.limiter.ReserveN(now, 1)
	at := now.Add(turn.DelayFrom(now))
	if !at.After(now) {
		return time.Time{}
	}
	if len(s.reserved) >= maxReserved {
		maps.DeleteFunc(s.reserved, func(_ string, at time.Time) bool { return now.Sub(at) > abandonedAfter })
	}
	if len(s.reserved) >= maxReserved {
		turn.CancelAt(now)
		return now.Add(time.Minute)
	}
	s.reserved[key] = at
	return at
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

// panicError says that something panicked, and of what type the value was: the
// value itself may hold anything.
func panicError(value any) error {
	if err, ok := value.(error); ok {
		return fmt.Errorf("panic of type %T", err)
	}
	return fmt.Errorf("panic with a %T", value)
}

// isOpen tells whether the circuit breaker keeps calls away now.
func (s *sender) isOpen() bool {
	return s.breaker != nil && s.breaker.State() == gobreaker.StateOpen
}
