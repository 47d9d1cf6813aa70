package fanout

import (
	"context"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// Member is somebody who consumes as one of a group.
type Member struct {
	backend.Consumption // complete
	// Outside says that Handle waits for code that is not ours: its worker is
	// as good as slow, and is not watched, for its batches are of one.
	Outside bool
	// Stop, if not nil, ends the membership when it is closed, and Left is
	// called then, before handlers are waited for.
	Stop <-chan struct{}
	Left func()

	group *Group
	ctx   context.Context // of Handle
	ended sync.WaitGroup  // of the workers

	// Guarded by the group's mu.
	workers []*worker
	idle    int // workers among group.idle
	leaving bool
}

// Consume makes m a member of the group until ctx ends, or done or m.Stop is
// closed, and waits for its handlers. It returns false if the group has been
// forgotten before.
func (g *Group) Consume(ctx context.Context, done <-chan struct{}, m *Member) bool {
	m.ctx = context.WithoutCancel(ctx)
	if ctx.Err() != nil {
		return true
	}
	if !m.join(g) {
		return false
	}
	select {
	case <-ctx.Done():
	case <-done:
	case <-m.Stop:
	}
	m.leave()
	m.ended.Wait()
	return true
}

// join makes m a member of the group. It returns false if the group has been
// forgotten meanwhile.
func (m *Member) join(g *Group) bool {
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
func (m *Member) start() {
	w := &worker{member: m, group: m.group, token: make(chan struct{}, 1), waking: true}
	m.workers = append(m.workers, w)
	m.group.waking++
	m.ended.Go(w.work)
}

// leave ends the membership: workers end once their handlers return, and what
// these have not claimed is the group's again.
func (m *Member) leave() {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dismiss(m)
	g.attend()
	if m.Left != nil {
		m.Left()
	}
}
