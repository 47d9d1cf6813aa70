package timeline

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// contents are those that a Memory has.
type contents struct {
	of    map[string][]Sealed // by notification
	order []string            // of notifications, the oldest first
	size  int
}

var _ ContentStore = (*Memory)(nil)

// PutContent implements [ContentStore].
func (m *Memory) PutContent(_ context.Context, s Sealed) error {
	s.WrappedKey, s.Ciphertext = bytes.Clone(s.WrappedKey), bytes.Clone(s.Ciphertext)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire()
	if _, erased := m.erased.at[s.NotificationID]; erased {
		return nil
	}
	if at, erased := m.recipients.at[s.Recipient]; erased && s.Recipient != "" && !s.AcceptedAt.After(at) {
		return nil
	}
	m.contents.put(s)
	for m.contents.size > m.config.ContentBytes && len(m.contents.order) > 0 {
		m.contents.drop(m.contents.order[0])
	}
	return nil
}

// Contents implements [ContentStore].
func (m *Memory) Contents(_ context.Context, notificationID string) ([]Sealed, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []Sealed
	for _, s := range m.contents.of[notificationID] {
		if s.At.Before(m.oldest()) {
			continue
		}
		s.Recipient, s.AcceptedAt = "", time.Time{}
		s.WrappedKey, s.Ciphertext = bytes.Clone(s.WrappedKey), bytes.Clone(s.Ciphertext)
		all = append(all, s)
	}
	return all, nil
}

// DropContents implements [ContentStore].
func (m *Memory) DropContents(_ context.Context, notificationID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contents.drop(notificationID)
	return nil
}

func (c *contents) put(s Sealed) {
	if c.of == nil {
		c.of = map[string][]Sealed{}
	}
	all, known := c.of[s.NotificationID]
	if !known {
		c.order = append(c.order, s.NotificationID)
	}
	i, there := slices.BinarySearchFunc(all, s.Leg, func(other Sealed, leg int) int { return cmp.Compare(other.Leg, leg) })
	if there {
		c.size -= len(all[i].Ciphertext)
		all[i] = s
	} else {
		all = slices.Insert(all, i, s)
	}
	c.size += len(s.Ciphertext)
	c.of[s.NotificationID] = all
}

// expire drops what was kept before the time.
func (c *contents) expire(before time.Time) {
	for len(c.order) > 0 && c.of[c.order[0]][0].At.Before(before) {
		c.drop(c.order[0])
	}
}

func (c *contents) drop(id string) {
	all, known := c.of[id]
	if !known {
		return
	}
	for _, s := range all {
		c.size -= len(s.Ciphertext)
	}
	delete(c.of, id)
	i := slices.Index(c.order, id)
	c.order = slices.Delete(c.order, i, i+1)
}
