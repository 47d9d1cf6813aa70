package cost

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// MemoryConfig bounds what a [Memory] keeps. A field that is not positive has its
// default.
type MemoryConfig struct {
	// Entries is how many are kept; default 100,000, of some 800 bytes each. The
	// oldest is forgotten, which leaves the sums as they are.
	Entries int
	// Cells is how many sums are kept, two of each tenant, channel, category,
	// provider and country that there is in a month (and in a day), four at most;
	// default 1,000,000, of some 400 bytes each. Then the oldest days go, and after
	// them the oldest months, but nothing of the latest of either.
	Cells int
}

// Memory is a [Store] in memory: what it knows ends with the process. If even the
// current period has no room, it refuses what needs a new sum with
// [notify.ErrOverloaded], since a budget must not see too small a sum.
type Memory struct {
	config MemoryConfig

	mu      sync.RWMutex // guards the following
	entries map[string]*Entry
	about   map[string][]string // entries' IDs by notification
	oldest  ages
	horizon time.Time // entries up to here have been forgotten
	periods map[string]*period
	cells   int
	// droppedMonth and droppedDay are the latest periods that went.
	droppedMonth, droppedDay string
}

// period has the cells of a month, or a day.
type period struct {
	cells   map[Cell]*Sum
	all     []Cell            // of all tenants
	tenants map[string][]Cell // of each
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(options ...func(*MemoryConfig)) *Memory {
	m := &Memory{entries: map[string]*Entry{}, about: map[string][]string{}, periods: map[string]*period{}}
	for _, option := range options {
		option(&m.config)
	}
	if m.config.Entries <= 0 {
		m.config.Entries = 100_000
	}
	if m.config.Cells <= 0 {
		m.config.Cells = 1_000_000
	}
	return m
}

// Put implements [Store].
func (m *Memory) Put(_ context.Context, entries ...Entry) (tooOld int, err error) {
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return 0, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var before []*Entry
	if len(entries) > 1 {
		before = make([]*Entry, len(entries)-1)
	}
	for i, e := range entries {
		known := m.entries[e.ID]
		if i < len(before) {
			before[i] = known
		}
		if known == nil && !m.horizon.IsZero() && (!e.At.After(m.horizon) || e.Facts == 0) {
			tooOld++
			continue
		}
		if err := m.put(known, e); err != nil {
			for j := i - 1; j >= 0; j-- {
				m.restore(entries[j].ID, before[j])
			}
			return 0, err
		}
	}
	for len(m.entries) > m.config.Entries {
		m.forget()
	}
	return tooOld, nil
}

func (m *Memory) put(known *Entry, e Entry) error {
	next := e
	if known != nil {
		if next = e.Join(*known); next == *known {
			return nil
		}
	}
	if err := m.apply(Changes(known, next)); err != nil {
		return fmt.Errorf("cost: count %q: %w", e.ID, err)
	}
	m.keep(known, next)
	return nil
}

func (m *Memory) keep(known *Entry, next Entry) {
	m.entries[next.ID] = &next
	if known == nil && next.NotificationID != "" {
		m.about[next.NotificationID] = append(m.about[next.NotificationID], next.ID)
	}
	if known == nil || !known.At.Equal(next.At) {
		m.aged(next.At, next.ID)
	}
}

// aged puts an entry in its place in the order, which is made anew when most of
// it is of entries that are elsewhere now.
func (m *Memory) aged(at time.Time, id string) {
	heap.Push(&m.oldest, age{at, id})
	if len(m.oldest) > 2*len(m.entries)+64 {
		m.oldest = m.oldest[:0]
		for _, e := range m.entries {
			m.oldest = append(m.oldest, age{e.At, e.ID})
		}
		heap.Init(&m.oldest)
	}
}

// restore takes back what a Put did that failed later on.
func (m *Memory) restore(id string, known *Entry) {
	next := m.entries[id]
	if next == nil || next == known {
		return
	}
	if known == nil {
		m.undo(next.changes(nil, -1))
		m.remove(next)
		return
	}
	m.undo(Changes(next, *known))
	m.entries[id] = known
	m.aged(known.At, id)
}

// forget forgets the oldest entry.
func (m *Memory) forget() {
	for {
		first := heap.Pop(&m.oldest).(age)
		e := m.entries[first.id]
		if e == nil || !e.At.Equal(first.at) {
			continue // it is there under another time, or went before
		}
		m.remove(e)
		if m.horizon.Before(e.At) {
			m.horizon = e.At
		}
		return
	}
}

func (m *Memory) remove(e *Entry) {
	delete(m.entries, e.ID)
	if e.NotificationID == "" {
		return
	}
	left := slices.DeleteFunc(m.about[e.NotificationID], func(id string) bool { return id == e.ID })
	if m.about[e.NotificationID] = left; len(left) == 0 {
		delete(m.about, e.NotificationID)
	}
}

// Entries implements [Store].
func (m *Memory) Entries(_ context.Context, notificationID string) ([]Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var found []Entry
	for _, id := range m.about[notificationID] {
		found = append(found, *m.entries[id])
	}
	slices.SortFunc(found, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

// age is an entry's place in the order in which they are forgotten.
type age struct {
	at time.Time
	id string
}

// ages is a heap, the oldest first. Those that are no more go when they come up.
type ages []age

func (a ages) Len() int { return len(a) }
func (a ages) Less(i, j int) bool {
	return cmp.Or(a[i].at.Compare(a[j].at), cmp.Compare(a[i].id, a[j].id)) < 0
}
func (a ages) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *ages) Push(one any) { *a = append(*a, one.(age)) }
func (a *ages) Pop() any {
	all := *a
	last := all[len(all)-1]
	*a = all[:len(all)-1]
	return last
}

// overloaded says that there is no room.
func (m *Memory) overloaded() error {
	return fmt.Errorf("%w: there are %d sums, its MemoryConfig.Cells", notify.ErrOverloaded, m.cells)
}
