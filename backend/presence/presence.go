// Package presence helps a store of records that one process has for itself to
// be a backend.Presence.
package presence

import "sync"

// Set holds the owners that are present in this process. The zero value is
// empty. Its methods are safe for concurrent use, and meet backend.Presence.
type Set struct {
	mu     sync.Mutex
	owners map[string]int // how often each has entered and not left
}

// Enter makes the owner present until leave is called, by which it leaves once
// however often it is called. An owner that enters again has to leave as often.
func (s *Set) Enter(owner string) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners == nil {
		s.owners = map[string]int{}
	}
	s.owners[owner]++
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.owners[owner]--; s.owners[owner] == 0 {
			delete(s.owners, owner)
		}
	})
}

// Present tells whether the owner has entered and not left.
func (s *Set) Present(owner string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owners[owner] > 0
}
