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
	of    map[string][]Sealed // by notification, by leg
	order []kept              // the oldest first
	size  int
}

// kept is a content's place among all.
type kept struct {
	at  time.Time
	id  string
	leg int
}

func (k kept) compare(other kept) int {
	return cmp.Or(k.at.Compare(other.at), cmp.Compare(k.id, other.id), cmp.Compare(k.leg, other.leg))
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
	for m.contents.size > m.config.ContentBytes {
		m.contents.dropOldest()
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
	c.remove(s.NotificationID, s.Leg)
	all := c.of[s.NotificationID]
	i, _ := findLeg(all, s.Leg)
	c.of[s.NotificationID] = slices.Insert(all, i, s)
	at := kept{s.At, s.NotificationID, s.Leg}
	i, _ = slices.BinarySearchFunc(c.order, at, kept.compare)
	c.order = slices.Insert(c.order, i, at)
	c.size += len(s.Ciphertext)
}

// dropOldest drops one.
func (c *contents) dropOldest() { c.remove(c.order[0].id, c.order[0].leg) }

// expire drops what was kept before the time.
func (c *contents) expire(before time.Time) {
	for len(c.order) > 0 && c.order[0].at.Before(before) {
		c.dropOldest()
	}
}

// drop drops those of a notification.
func (c *contents) drop(id string) {
	for all := c.of[id]; len(all) > 0; all = c.of[id] {
		c.remove(id, all[len(all)-1].Leg)
	}
}

func (c *contents) remove(id string, leg int) {
	all := c.of[id]
	i, there := findLeg(all, leg)
	if !there {
		return
	}
	place, _ := slices.BinarySearchFunc(c.order, kept{all[i].At, id, leg}, kept.compare)
	c.order = slices.Delete(c.order, place, place+1)
	c.size -= len(all[i].Ciphertext)
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(c.of, id)
	} else {
		c.of[id] = all
	}
}

func findLeg(all []Sealed, leg int) (int, bool) {
	return slices.BinarySearchFunc(all, leg, func(s Sealed, leg int) int { return cmp.Compare(s.Leg, leg) })
}
