package main

import (
	"context"
	"net/http"
	"sync"
)

// gate lets requests in until it is closed. Its zero value is open.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside int
	empty  chan struct{} // made by close if somebody is inside
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.empty != nil && g.inside == 0 {
		close(g.empty)
	}
}

// close keeps out who comes, and waits until those inside have left or ctx ends.
// It is called once.
func (g *gate) close(ctx context.Context) {
	g.mu.Lock()
	g.closed = true
	if g.inside > 0 {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	if empty == nil {
		return
	}
	select {
	case <-empty:
	case <-ctx.Done():
	}
}

// admit answers a request, unless the gate is closed.
func (s *service) admit(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.gate.enter() {
			w.Header().Set("Connection", "close")
			unavailable.with("The server is going down.").write(w)
			return
		}
		defer s.gate.leave()
		next(w, r)
	}
}

// admitStream is admit for an answer that lasts: nobody waits for its end.
func (s *service) admitStream(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		goOn := false
		s.admit(func(http.ResponseWriter, *http.Request) { goOn = true })(w, r)
		if goOn {
			next(w, r)
		}
	}
}
