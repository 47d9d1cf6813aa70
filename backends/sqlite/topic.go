package sqlite

import (
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify/internal/fanout"
)

// topic is a log in the table messages. Positions count its messages.
type topic struct {
	store *store
	id    int64
	name  string
	gate  *fanout.Gate

	// What is on disk: the messages from oldest to before tail are all there.
	oldest, tail atomic.Int64
	appended     broadcast
	end          tail

	mu     sync.Mutex
	groups map[string]*group

	// The rest is the writer's own.

	first, next int64  // as oldest and tail, with what is not on disk yet
	last        string // when the last message was published
	op          uint64 // the last operation that changed next
}

func newTopic(s *store, name string) *topic {
	t := &topic{store: s, name: name, groups: map[string]*group{}}
	t.gate = fanout.NewGate(s.config.MaxWork, t.backlog)
	return t
}

func (t *topic) group(name string) *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.groups[name]
}

func (t *topic) all() []*group {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*group, 0, len(t.groups))
	for _, g := range t.groups {
		all = append(all, g)
	}
	return all
}

func (t *topic) add(g *group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.groups[g.name] = g
}

func (t *topic) rename(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.groups[from]; g != nil {
		delete(t.groups, from)
		g.name = to
		t.groups[to] = g
	}
}

func (t *topic) remove(name string) *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[name]
	delete(t.groups, name)
	return g
}

// backlog is what waits or is under way in the group that is furthest behind,
// or what the topic has when it has no group.
func (t *topic) backlog() int64 {
	groups := t.all()
	if len(groups) == 0 {
		return t.tail.Load() - t.oldest.Load()
	}
	var most int64
	for _, g := range groups {
		if !g.isAbandoned() {
			most = max(most, g.lag())
		}
	}
	return most
}
