package timeline

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// MemoryConfig bounds what a [Memory] keeps. A field that is not positive has
// its default.
type MemoryConfig struct {
	// Notifications is how many are kept; default 10,000.
	Notifications int
	// Events is how many events of a notification are kept; default 256.
	Events int
}

// Memory is a [Store] in memory. It has two caps, and never fails or waits at
// them:
//
//   - A notification too many drops another, whole: the oldest of those that
//     have settled or whose Accepted is not known, and if there is none, the
//     oldest of all. A later event of one that was dropped begins a new entry,
//     of what comes from then on.
//   - An event too many takes the place of the notification's latest event that
//     is not of its lifecycle, which are engagement and the host's own; if
//     there is none, or it is no lifecycle event itself, it is left out. Both
//     set [Entry.Truncated], and count in the status.
//
// A notification with a dozen events takes some 10 KiB, beside what the host
// puts into labels and its own events. List looks at one notification after
// the other until the page is full.
type Memory struct {
	config MemoryConfig

	mu        sync.RWMutex // guards the following
	histories map[string]*listed
	over      ordered // what is dropped first
	live      ordered
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory(options ...func(*MemoryConfig)) *Memory {
	m := &Memory{histories: map[string]*listed{}}
	for _, option := range options {
		option(&m.config)
	}
	if m.config.Notifications <= 0 {
		m.config.Notifications = 10_000
	}
	if m.config.Events <= 0 {
		m.config.Events = 256
	}
	return m
}

// Add implements [Store].
func (m *Memory) Add(_ context.Context, e notify.Event[any]) error {
	if e.NotificationID == "" {
		return &notify.FieldError{Field: "Event.NotificationID", Problem: "must not be empty"}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	h, found := m.histories[e.NotificationID]
	if !found {
		h = &listed{history: history{id: e.NotificationID}}
		m.histories[h.id] = h
	}
	h.add(e, m.config.Events)
	m.list(h)
	if !found {
		m.drop()
	}
	return nil
}

// list puts h where it belongs.
func (m *Memory) list(h *listed) {
	list := &m.live
	if h.over() {
		list = &m.over
	}
	if h.in == list && h.at == h.place {
		return
	}
	if h.in != nil {
		h.in.remove(h)
	}
	h.in, h.at = list, h.place
	list.insert(h)
}

// drop keeps the cap.
func (m *Memory) drop() {
	if len(m.histories) <= m.config.Notifications {
		return
	}
	list := &m.live
	if len(m.over) > 0 {
		list = &m.over
	}
	oldest := (*list)[0]
	list.remove(oldest)
	delete(m.histories, oldest.id)
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, id string) (Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h, found := m.histories[id]
	if !found {
		return Entry{}, fmt.Errorf("timeline: notification %q: %w", id, notify.ErrNotFound)
	}
	return h.entry(), nil
}

// List implements [Store].
func (m *Memory) List(_ context.Context, q Query) (Page, error) {
	q, after, err := q.Resolve()
	if err != nil {
		return Page{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var page Page
	for h := range newestFirst(m.over.before(after), m.live.before(after)) {
		if h.place.At.Before(q.From) {
			break
		}
		if !q.matches(&h.status, h.labels.pairs, h.place.At) {
			continue
		}
		if len(page.Entries) == q.Limit {
			page.Next = page.Entries[q.Limit-1].Position().Cursor()
			break
		}
		page.Entries = append(page.Entries, h.entry())
	}
	return page, nil
}
