package timeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify"
)

// MemoryConfig bounds what a [Memory] keeps. A field that is not positive has
// its default.
type MemoryConfig struct {
	// Notifications is how many are kept; default 10,000.
	Notifications int
	// Events is how many events of a notification are kept; default 256.
	Events int
	// For is how long a notification is kept, from [Entry.At]; default without a
	// bound, since the program's end is one.
	For time.Duration
	// ContentBytes is how much of sealed contents is kept, see [Contents]: beyond
	// that the oldest are dropped, by [Sealed.At]. Default 64 MiB.
	ContentBytes int
}

// Memory is a [Store] in memory. It has two caps, and never fails or waits at
// them:
//
//   - When there are too many notifications, one is dropped: the oldest of
//     those that have settled or whose Accepted is not known, and if there is
//     none, the oldest of all. A later event of a dropped one begins a new
//     entry, of what comes from then on.
//   - When a notification has too many events, a new lifecycle event takes the
//     place of the latest one that is not of the lifecycle (engagement, or the
//     host's own). If there is none, or the new event is not of the lifecycle,
//     the new one is left out. Both set [Entry.Truncated], and what is left out
//     still counts in the status.
//
// One that is older than For is not shown any more, and is dropped when the next
// event comes. It remembers the erasure of up to as many notifications, and as
// many recipients, as it keeps notifications.
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

	contents   contents
	erased     graves // notifications
	recipients graves // by their hash
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
	if m.config.ContentBytes <= 0 {
		m.config.ContentBytes = 64 << 20
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
	m.expire()
	if m.wasErased(&e.Envelope) {
		return nil
	}
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

// wasErased tells whether the event is of a notification that was erased, or has
// to be because of it.
func (m *Memory) wasErased(e *notify.Envelope) bool {
	if _, erased := m.erased.at[e.NotificationID]; erased {
		return true
	}
	if e.RecipientID == "" || len(m.recipients.order) == 0 {
		return false
	}
	at, erased := m.recipients.at[RecipientHash(e.Tenant, e.RecipientID)]
	if !erased || e.Time.After(at) {
		return false
	}
	m.bury(e.NotificationID, time.Now())
	return true
}

// bury removes the notification for good.
func (m *Memory) bury(id string, now time.Time) {
	m.erased.add(id, now, m.config.Notifications)
	if h, found := m.histories[id]; found {
		m.remove(h)
	}
	m.contents.drop(id)
}

func (m *Memory) remove(h *listed) {
	h.in.remove(h)
	delete(m.histories, h.id)
	m.contents.drop(h.id)
}

// Erase implements [Store].
func (m *Memory) Erase(_ context.Context, tenant, recipientID string) (erased int, err error) {
	if err := CheckErase(recipientID); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	hash := RecipientHash(tenant, recipientID)
	m.recipients.add(hash, now, m.config.Notifications)
	for id, all := range m.contents.of {
		if all[0].Recipient == hash {
			m.bury(id, now)
			erased++
		}
	}
	for id, h := range m.histories {
		if h.names(tenant, recipientID) {
			m.bury(id, now)
			erased++
		}
	}
	return erased, nil
}

// oldest is when what is kept may have been accepted.
func (m *Memory) oldest() time.Time {
	if m.config.For <= 0 {
		return time.Time{}
	}
	return time.Now().Add(-m.config.For)
}

// expire drops what is too old.
func (m *Memory) expire() {
	oldest := m.oldest()
	for _, list := range []*ordered{&m.over, &m.live} {
		for len(*list) > 0 && (*list)[0].at.At.Before(oldest) {
			m.remove((*list)[0])
		}
	}
	m.erased.expire(oldest)
	m.recipients.expire(oldest)
	m.contents.expire(oldest)
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
	m.remove((*list)[0])
}

// Get implements [Store].
func (m *Memory) Get(_ context.Context, id string) (Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h, found := m.histories[id]
	if !found || h.place.At.Before(m.oldest()) {
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
	if oldest := m.oldest(); q.From.Before(oldest) {
		q.From = oldest
	}
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
