package notify

import (
	"time"

	"github.com/sony/gobreaker/v2"
)

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

// closedAgain is when the breaker may let a call through.
func (s *sender) closedAgain(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.openUntil.After(now) {
		return s.openUntil
	}
	return now.Add(time.Second) // half open: another call is probing
}

// isOpen tells whether the circuit breaker keeps calls away now.
func (s *sender) isOpen() bool {
	return s.breaker != nil && s.breaker.State() == gobreaker.StateOpen
}
