package webhook

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// MemoryConfig bounds what a [Memory] keeps. A field that is not positive has
// its default.
type MemoryConfig struct {
	// Endpoints is how many there may be; default 10,000.
	Endpoints int
	// Messages is how many are kept, and Bytes how much of them; default 10,000
	// and 64 MiB.
	Messages int
	Bytes    int
	// Pending is how many messages may wait for one endpoint; default 1,000.
	Pending int
	// Attempts is how many are kept of one endpoint; default 100.
	Attempts int
}

// Memory is a [Store] in memory: what it holds is lost with the process. At its
// caps it never waits:
//
//   - Too many endpoints: a new one is refused, with [notify.ErrOverloaded].
//   - Too many messages: the oldest is dropped, with its deliveries that still
//     wait. It cannot be replayed any more, and would count as new if its event
//     came again.
//   - Too many messages that wait for one endpoint: the oldest of them that is
//     not being sent waits no longer; it can be replayed.
//   - Too many attempts of an endpoint: its oldest is dropped.
//
// What was dropped while it waited counts in [Status.Dropped].
type Memory struct {
	config MemoryConfig

	mu        sync.Mutex // guards the following
	endpoints map[string]*queue
	tenants   map[string]map[string]*queue // by tenant and ID
	messages  map[string]*stored
	log       []*stored // messages in the order in which they were added
	bytes     int
	numbers   int64 // of messages and claims, handed out so far
	lanes     [2]ready
}

// stored is a message and who waits for it.
type stored struct {
	Message
	number  int64
	waiting map[*queue]bool
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(options ...func(*MemoryConfig)) *Memory {
	m := &Memory{endpoints: map[string]*queue{}, tenants: map[string]map[string]*queue{}, messages: map[string]*stored{}}
	for _, option := range options {
		option(&m.config)
	}
	for _, field := range []struct {
		value    *int
		standard int
	}{
		{&m.config.Endpoints, 10_000},
		{&m.config.Messages, 10_000},
		{&m.config.Bytes, 64 << 20},
		{&m.config.Pending, 1000},
		{&m.config.Attempts, 100},
	} {
		if *field.value <= 0 {
			*field.value = field.standard
		}
	}
	return m
}

func notFound(id string) error { return fmt.Errorf("webhook: endpoint %q: %w", id, notify.ErrNotFound) }

// Put implements [Store].
func (m *Memory) Put(_ context.Context, e Endpoint) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[e.ID]
	switch {
	case found:
		defer m.touch(q)
		return q.Change(e)
	case len(m.endpoints) >= m.config.Endpoints:
		return fmt.Errorf("webhook: there are %d endpoints: %w", m.config.Endpoints, notify.ErrOverloaded)
	}
	q = &queue{Status: Status{Endpoint: e.clone()}, at: -1}
	m.endpoints[e.ID] = q
	if m.tenants[e.Tenant] == nil {
		m.tenants[e.Tenant] = map[string]*queue{}
	}
	m.tenants[e.Tenant][e.ID] = q
	return nil
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, id string) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[id]
	if !found {
		return Status{}, notFound(id)
	}
	return q.status(), nil
}

// List implements [Store].
func (m *Memory) List(_ context.Context, query Query) (Page, error) {
	query, err := query.Resolve()
	if err != nil {
		return Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	from := m.tenants[query.Tenant]
	if query.AllTenants {
		from = m.endpoints
	}
	var page Page
	for _, id := range slices.Sorted(maps.Keys(from)) {
		q := from[id]
		if strings.Compare(id, query.After) <= 0 || !query.Matches(&q.Status) {
			continue
		}
		if len(page.Endpoints) == query.Limit {
			page.Next = page.Endpoints[query.Limit-1].ID
			break
		}
		page.Endpoints = append(page.Endpoints, q.status())
	}
	return page, nil
}

// Delete implements [Store].
func (m *Memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[id]
	if !found {
		return notFound(id)
	}
	for _, d := range q.waiting {
		delete(d.message.waiting, q)
	}
	q.waiting = nil
	m.touch(q)
	delete(m.endpoints, id)
	delete(m.tenants[q.Tenant], id)
	if len(m.tenants[q.Tenant]) == 0 {
		delete(m.tenants, q.Tenant)
	}
	return nil
}

// Switch implements [Store].
func (m *Memory) Switch(_ context.Context, id string, reason Reason, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[id]
	if !found {
		return notFound(id)
	}
	q.Switch(reason, at)
	m.touch(q)
	return nil
}

// Attempts implements [Store].
func (m *Memory) Attempts(_ context.Context, query AttemptQuery) (AttemptPage, error) {
	query, before, err := query.Resolve()
	if err != nil {
		return AttemptPage{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	q, found := m.endpoints[query.EndpointID]
	if !found {
		return AttemptPage{}, notFound(query.EndpointID)
	}
	return q.attempts(query, before), nil
}
