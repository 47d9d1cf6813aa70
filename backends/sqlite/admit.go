package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify/backend"
)

// Admit implements [backend.Admitter]. The room of a topic is
// [Config.MaxWork] less the lag of the group that is furthest behind, or less
// what the topic has when it has no group. A topic where nothing waits admits
// any n. Callers that wait are served in their order. Callers admitted at the
// same time may together exceed the room, each once.
func (b *Backend) Admit(ctx context.Context, topic string, n int, wait bool) error {
	s, err := b.enter(context.WithoutCancel(ctx))
	if err == nil {
		defer b.leave()
		if t := s.topic(topic); t != nil {
			err = t.gate.enter(ctx, b.life.Done(), int64(n), wait)
		}
	}
	if err != nil {
		return fmt.Errorf("sqlite: admit to %s: %w", topic, err)
	}
	return nil
}

// gate holds back callers while too much waits in a topic.
type gate struct {
	topic   *topic
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
	if len(g.queue) == 0 {
		return
	}
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
	return backlog == 0 || backlog+n <= int64(g.topic.store.config.MaxWork)
}
