package notify

import (
	"context"
	"slices"
	"sync"
)

// slots bounds how many calls of a provider are under way at once in this
// process. Urgent work goes first, and otherwise what has waited longest. Nil is no
// bound.
type slots struct {
	mu      sync.Mutex
	free    int
	waiting [2][]chan struct{} // urgent, and the rest; each is closed when it has a slot
}

func newSlots(n int) *slots {
	if n <= 0 {
		return nil
	}
	return &slots{free: n}
}

// take takes a slot if one is free: while somebody waits, none is.
func (s *slots) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// wait takes a slot, or returns without one when ctx ends.
func (s *slots) wait(ctx context.Context, urgent bool) error {
	lane, had := &s.waiting[1], make(chan struct{})
	if urgent {
		lane = &s.waiting[0]
	}
	s.mu.Lock()
	if s.free > 0 {
		s.free--
		s.mu.Unlock()
		return nil
	}
	*lane = append(*lane, had)
	s.mu.Unlock()
	select {
	case <-had:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(*lane, had); i >= 0 {
		*lane = slices.Delete(*lane, i, i+1)
	} else {
		s.nextLocked() // it was had meanwhile
	}
	return ctx.Err()
}

// give gives a slot back.
func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextLocked()
}

// nextLocked gives a slot to who is next.
func (s *slots) nextLocked() {
	for i := range s.waiting {
		if lane := s.waiting[i]; len(lane) > 0 {
			close(lane[0])
			s.waiting[i] = slices.Delete(lane, 0, 1)
			return
		}
	}
	s.free++
}

// slot is what one execution of a step has: a slot of one provider, or none.
type slot struct{ of *slots }

// take has a slot of the provider, if one is free, and gives back any other.
func (s *slot) take(of *slots) bool {
	if s.of == of {
		return true
	}
	s.leave()
	if of != nil && !of.take() {
		return false
	}
	s.of = of
	return true
}

// wait waits for a slot of the provider.
func (s *slot) wait(ctx context.Context, of *slots, urgent bool) error {
	s.leave()
	err := of.wait(ctx, urgent)
	if err == nil {
		s.of = of
	}
	return err
}

func (s *slot) leave() {
	if s.of != nil {
		s.of.give()
		s.of = nil
	}
}
