package notify

import (
	"maps"
	"time"
)

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
