package smtp

import (
	"context"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// farewell bounds saying QUIT.
const farewell = time.Second

// pool bounds the connections in use, and keeps the idle ones. A session is
// taken out before one more is made, so the bound holds for both together.
type pool struct {
	slots   chan struct{}
	timeout time.Duration

	mu     sync.Mutex // guards what follows
	idle   []*session // the longest idle first
	timer  *time.Timer
	closed bool
}

func newPool(size int, timeout time.Duration) *pool {
	return &pool{slots: make(chan struct{}, size), timeout: timeout}
}

// acquire waits for the right to use one connection.
func (p *pool) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.isClosed() {
		return notify.ErrClosed
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pool) release() { <-p.slots }

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// take returns the session that was used last, or nil.
func (p *pool) take() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	s := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return s
}

// put keeps s until it is taken, or has been idle for too long.
func (p *pool) put(s *session) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		s.reused, s.idleSince = true, time.Now()
		p.idle = append(p.idle, s)
		p.arm()
	}
	p.mu.Unlock()
	if closed {
		s.quit(time.Now().Add(farewell))
	}
}

// arm sets the timer, if it is not set, for when the longest idle session has
// been idle for too long. The mutex is held.
func (p *pool) arm() {
	if p.timer == nil && len(p.idle) > 0 && !p.closed {
		p.timer = time.AfterFunc(time.Until(p.idle[0].idleSince.Add(p.timeout)), p.reap)
	}
}

// reap closes the sessions that have been idle for too long.
func (p *pool) reap() {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && time.Since(p.idle[n].idleSince) >= p.timeout {
		n++
	}
	old := append([]*session(nil), p.idle[:n]...)
	p.idle = append([]*session(nil), p.idle[n:]...)
	p.timer = nil
	p.arm()
	p.mu.Unlock()
	quitAll(old)
}

// close closes the idle sessions, and every session that is put back later.
func (p *pool) close() {
	p.mu.Lock()
	old := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	quitAll(old)
}

func quitAll(sessions []*session) {
	deadline := time.Now().Add(farewell)
	for _, s := range sessions {
		s.quit(deadline)
	}
}
