package memory

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// Consume implements [backend.Consumer]. A group without a position starts at
// the oldest message that the topic has.
func (b *Backend) Consume(ctx context.Context, c backend.Consumption) error {
	if err := c.Complete(); err != nil {
		return fmt.Errorf("memory: consume: %w", err)
	}
	if err := b.enter(); err != nil {
		return fmt.Errorf("memory: consume %s: %w", c.Topic, err)
	}
	defer b.active.Done()
	b.consume(ctx, &member{Consumption: c})
	return nil
}

// consume is Consume for what is complete, between enter and active.Done.
func (b *Backend) consume(ctx context.Context, m *member) {
	m.ctx = context.WithoutCancel(ctx)
	if ctx.Err() != nil {
		return
	}
	t := b.topic(m.Topic)
	for !m.join(t.group(m.Group, backend.FromOldest())) {
	}
	select {
	case <-ctx.Done():
	case <-b.done:
	case <-m.stop:
	}
	m.leave()
	m.ended.Wait()
}

// member is one call of Consume.
type member struct {
	backend.Consumption
	group *group
	ctx   context.Context // of Handle
	// outside says that Handle waits for code that is not ours: its worker is
	// as good as slow, and is not watched, for its batches are of one.
	outside bool
	// stop, if not nil, ends the membership when it is closed, and left is
	// called then, before handlers are waited for.
	stop  <-chan struct{}
	left  func()
	ended sync.WaitGroup // of the workers

	// Guarded by the group's mu.
	workers []*worker
	idle    int // workers among group.idle
	leaving bool
}

// join makes m a member of the group. It returns false if the group has been
// forgotten meanwhile.
func (m *member) join(g *group) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return false
	}
	m.group = g
	g.members = append(g.members, m)
	m.start()
	return true
}

// start starts a worker. The group's mu is held.
func (m *member) start() {
	w := &worker{member: m, group: m.group, token: make(chan struct{}, 1), waking: true}
	m.workers = append(m.workers, w)
	m.group.waking++
	m.ended.Go(w.work)
}

// leave ends the membership: workers end once their handlers return, and what
// these have not claimed is the group's again.
func (m *member) leave() {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dismiss(m)
	g.attend()
	if m.left != nil {
		m.left()
	}
}
