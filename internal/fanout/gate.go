package fanout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify/backend"
)

// Admit returns once n more messages may be appended, as [backend.Admitter]
// says, or when done is closed.
func (t *Topic) Admit(ctx context.Context, done <-chan struct{}, n int, wait bool) error {
	return t.gate.enter(ctx, done, int64(n), wait)
}

// gate holds back callers while too much waits in a topic.
type gate struct {
	topic   *Topic
	waiting atomic.Int32

	mu    sync.Mutex // before a group's mu, never after it
	queue []*applicant
}

// applicant is somebody who waits for room for n messages.
type applicant struct {
	n        int64
	admitted chan struct{}
}

func (g *gate) enter(ctx context.Context, done <-chan struct{}, n int64, wait bool) error {
	// Without a queue nobody is overtaken.
	if g.waiting.Load() == 0 && g.fits(n, g.topic.backlog()) {
		return nil
	}
	if !wait {
		return fmt.Errorf("no room for %d messages: %w", n, backend.ErrOverloaded)
	}
	a := &applicant{n: n, admitted: make(chan struct{})}
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

// passed is called, without locks, when a group may have finished something.
func (t *Topic) passed() {
	t.gate.pass()
	t.shifted()
}

// shifted is called, without locks, when a group may have queued something that
// was under way.
func (t *Topic) shifted() {
	if t.config.Moved != nil {
		t.config.Moved()
	}
}

// pass admits whoever fits now. It is called when the backlog has shrunk.
func (g *gate) pass() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serve()
}

func (g *gate) serve() {
	backlog := g.topic.backlog()
	for len(g.queue) > 0 && g.fits(g.queue[0].n, backlog) {
		a := g.queue[0]
		g.queue = slices.Delete(g.queue, 0, 1)
		g.waiting.Add(-1)
		backlog += a.n
		close(a.admitted)
	}
}

func (g *gate) fits(n, backlog int64) bool {
	return backlog == 0 || backlog+n <= int64(g.topic.config.MaxWork)
}

// backlog is what waits or is under way in the group that is furthest behind.
func (t *Topic) backlog() int64 {
	groups := *t.groups.Load()
	if len(groups) == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.tail.Load() - t.head.first
	}
	var most int64
	for _, g := range groups {
		most = max(most, g.Lag())
	}
	return most
}
