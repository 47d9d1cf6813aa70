package kafka

import (
	"context"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// members are those of this process.
type members struct {
	active sync.WaitGroup // none is added once the backend is closed

	mu  sync.Mutex
	all map[string]map[*member]struct{} // by the group's name in the cluster
}

// wait waits until they have left.
func (m *members) wait() { m.active.Wait() }

// join adds a member, unless the backend is closed; the caller ends it by leave.
func (b *Backend) join(one *member) (leave func(), _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, backend.ErrClosed
	}
	b.members.active.Add(1)
	b.members.add(one)
	return func() {
		b.members.remove(one)
		b.members.active.Done()
	}, nil
}

func (m *members) add(one *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[string]map[*member]struct{}{}
	}
	if m.all[one.id] == nil {
		m.all[one.id] = map[*member]struct{}{}
	}
	m.all[one.id][one] = struct{}{}
}

func (m *members) remove(one *member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all[one.id], one)
	if len(m.all[one.id]) == 0 {
		delete(m.all, one.id)
	}
}

func (m *members) of(id string) []*member {
	m.mu.Lock()
	defer m.mu.Unlock()
	var of []*member
	for one := range m.all[id] {
		of = append(of, one)
	}
	return of
}

// states returns how far the group is in the partitions that are here.
func (m *members) states(id string) map[int32]state {
	states := map[int32]state{}
	for _, one := range m.of(id) {
		one.states(states)
	}
	return states
}

// dismiss has the group's members leave it, and waits until they have.
func (m *members) dismiss(ctx context.Context, id string) error {
	for _, one := range m.of(id) {
		one.end(errDismissed)
		select {
		case <-one.left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
