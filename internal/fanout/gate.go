package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify/backend"
)

// Gate holds back callers while too much waits in a topic. A topic where nothing
// waits admits any number; otherwise no more than may wait beside the backlog.
// Callers that wait are served in their order; those that are admitted at the
// same time may together exceed the room, each once. All methods are safe for
// concurrent use.
type Gate struct {
	most    int64
	backlog func() int64
	waiting atomic.Int32

	mu    sync.Mutex // before what backlog locks, never after it
	queue []*applicant
}

// NewGate returns a gate of a topic in which that many messages may wait, of
// which backlog counts those that do.
func NewGate(most int, backlog func() int64) *Gate { return &Gate{most: int64(most), backlog: backlog} }

// applicant is somebody who waits for room for n messages.
type applicant struct {
	n        int64
	admitted chan struct{}
}

// Enter returns once n more messages may be appended, as [backend.Admitter] says,
// or with an error that wraps [backend.ErrClosed] once done is closed.
func (g *Gate) Enter(ctx context.Context, done <-chan struct{}, n int, wait bool) error {
	// Without a queue nobody is overtaken.
	if g.waiting.Load() == 0 && g.fits(int64(n), g.backlog()) {
		return nil
	}
	if !wait {
		return fmt.Errorf("no room for %d messages: %w", n, backend.ErrOverloaded)
	}
	a := &applicant{n: int64(n), admitted: make(chan struct{})}
	g.mu.Lock()
	g.queue = append(g.queue, a)
	g.waiting.Add(1) // before looking, so that whoever makes room later sees us
	g.serve()
	g.mu.Unlock()

	select {
	case <-a.admitted:
		return nil
	case <-done:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, a)
	if i < 0 {
		return nil
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	g.waiting.Add(-1)
	g.serve()
	if ctx.Err() == nil {
		return backend.ErrClosed
	}
	return fmt.Errorf("no room for %d messages: %w: %w", n, backend.ErrOverloaded, ctx.Err())
}

// Pass admits whoever fits now. It is called when the backlog has shrunk.
func (g *Gate) Pass() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serve()
}

func (g *Gate) serve() {
	backlog := g.backlog()
	for len(g.queue) > 0 && g.fits(g.queue[0].n, backlog) {
		a := g.queue[0]
		g.queue = slices.Delete(g.queue, 0, 1)
		g.waiting.Add(-1)
		backlog += a.n
		close(a.admitted)
	}
}

func (g *Gate) fits(n, backlog int64) bool {
	return backlog == 0 || backlog+n <= g.most
}
