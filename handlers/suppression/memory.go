package suppression

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// MemoryConfig bounds what a [Memory] keeps. A field that is not positive has its
// default.
type MemoryConfig struct {
	// Entries is how many keys are kept; default 1,000,000, of some 300 bytes each.
	Entries int
}

// Memory is a [Store] in memory: what it knows ends with the process. At its cap
// it refuses new keys with [notify.ErrOverloaded], since to forget an old one
// would send to somebody who must not get anything. List goes through all
// entries.
type Memory struct {
	config MemoryConfig

	mu      sync.RWMutex // guards the following
	entries map[Key]Entry
	about   map[about][]Key
}

type about struct {
	tenant string
	Subject
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(options ...func(*MemoryConfig)) *Memory {
	m := &Memory{entries: map[Key]Entry{}, about: map[about][]Key{}}
	for _, option := range options {
		option(&m.config)
	}
	if m.config.Entries <= 0 {
		m.config.Entries = 1_000_000
	}
	return m
}

// Set implements [Store].
func (m *Memory) Set(_ context.Context, e Entry) error {
	if err := e.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known, ok := m.entries[e.Key]
	switch {
	case ok && !e.Replaces(known):
		return nil
	case !ok && len(m.entries) >= m.config.Entries:
		return fmt.Errorf("suppression: %w: the list has %d entries, its MemoryConfig.Entries", notify.ErrOverloaded, len(m.entries))
	case !ok:
		of := about{e.Tenant, e.Subject}
		m.about[of] = append(m.about[of], e.Key)
	}
	m.entries[e.Key] = e
	return nil
}

// Find implements [Store].
func (m *Memory) Find(_ context.Context, tenant string, subjects ...Subject) ([]Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Entry
	for _, s := range subjects {
		for _, key := range m.about[about{tenant, s}] {
			if e := m.entries[key]; !e.Lifted {
				found = append(found, e)
			}
		}
	}
	return found, nil
}

// List implements [Store].
func (m *Memory) List(_ context.Context, q Query) (Page, error) {
	q, after, later, err := q.Resolve()
	if err != nil {
		return Page{}, err
	}
	m.mu.RLock()
	keys := slices.Collect(maps.Keys(m.entries))
	m.mu.RUnlock()
	slices.SortFunc(keys, Key.Compare)
	m.mu.RLock()
	defer m.mu.RUnlock()
	var page Page
	for _, key := range keys {
		e := m.entries[key]
		if later && key.Compare(after) <= 0 || !q.Matches(e) {
			continue
		}
		if len(page.Entries) == q.Limit {
			page.Next = page.Entries[q.Limit-1].Cursor()
			break
		}
		page.Entries = append(page.Entries, e)
	}
	return page, nil
}
