package notify

import "time"

// obstacle is why a provider takes no call now.
type obstacle uint8

const (
	rateLimited   obstacle = iota // it takes the call later
	askedForPause                 // the service did, by Retry-After
	breakerOpen
	allBusy // as many calls are under way as may be
)

// heed holds the provider back if its answer asked for a pause: in this
// process, until the pause is over, nobody calls it.
func (s *sender) heed(failure *SendError) {
	if failure == nil || failure.Verdict != VerdictThrottled || failure.RetryAfter <= 0 {
		return
	}
	until := time.Now().Add(min(failure.RetryAfter, s.policy.MaxRetryAfter))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heldUntil = later(s.heldUntil, until)
}

// held tells whether the provider is held back, and until when. A turn that the
// rate limit granted to the attempt before that lapses: all of those would be
// taken at once.
func (s *sender) held(key string, now time.Time) (until time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.heldUntil.After(now) {
		return time.Time{}, false
	}
	if at, ok := s.reserved[key]; ok && !at.After(s.heldUntil) {
		delete(s.reserved, key)
	}
	return s.heldUntil, true
}

// pausedUntil is when the service wants to be called again; zero is now.
func (s *sender) pausedUntil(now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.heldUntil.After(now) {
		return s.heldUntil
	}
	return time.Time{}
}
