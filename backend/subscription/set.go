package subscription

import (
	"context"
	"log/slog"
	"sync"
)

// Set holds the open handles of a backend, so that its Close can end them. The
// zero value is empty. Its methods are safe for concurrent use.
type Set struct {
	mu  sync.Mutex
	all map[*Subscriber]struct{}
}

// New is as the function [New]; the handle is in the set until it is closed.
func (s *Set) New(open context.Context, source Source, group string, log *slog.Logger) *Subscriber {
	made := New(open, source, group, log)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[*Subscriber]struct{}{}
	}
	s.all[made] = struct{}{}
	made.closing = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, made)
	}
	return made
}

// Close closes the handles, and waits until their channels are closed.
func (s *Set) Close() {
	s.mu.Lock()
	all := make([]*Subscriber, 0, len(s.all))
	for one := range s.all {
		all = append(all, one)
	}
	s.mu.Unlock()
	var ended sync.WaitGroup
	for _, one := range all {
		ended.Go(func() { _ = one.Close() }) // which does not fail
	}
	ended.Wait()
}
