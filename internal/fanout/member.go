package fanout

import (
	"context"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// member is somebody who consumes as one of a group.
type member struct {
	backend.Consumption // complete
	// single says that its batches are of one: there is nothing to be gained
	// from letting it take the next one, so its worker is as good as slow.
	single bool

	group *Group
	ctx   context.Context // of Handle
	ended sync.WaitGroup  // of the workers

	// Guarded by the group's mu.
	workers []*worker
	idle    int // workers among group.idle
	leaving bool
}

// Consume is a member of the group until ctx ends, and then waits for its
// handlers. The consumption is complete. It returns false if the group has been
// forgotten before.
func (g *Group) Consume(ctx context.Context, c backend.Consumption) bool {
	m := &member{Consumption: c, single: c.MaxBatch == 1, ctx: context.WithoutCancel(ctx)}
	if ctx.Err() != nil {
		return true
	}
	if !m.join(g) {
		return false
	}
	<-ctx.Done()
	m.leave()
	m.ended.Wait()
	return true
}

// join makes m a member of the group. It returns false if the group has been
// forgotten meanwhile.
func (m *member) join(g *Group) bool {
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
	g.dismiss(m)
	g.attend()
	g.mu.Unlock()
	g.topic.shifted()
}
