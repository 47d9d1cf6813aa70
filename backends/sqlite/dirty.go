package sqlite

import (
	"slices"
	"sync"

	"github.com/seed-6c01d079/notify/backend/window"
)

// dirty are the groups whose position on disk may be behind.
type dirty struct {
	marked func() // wakes the writer

	mu     sync.Mutex
	groups map[*group]struct{}
}

func (d *dirty) mark(g *group) {
	d.mu.Lock()
	fresh := len(d.groups) == 0
	d.add(g)
	d.mu.Unlock()
	if fresh {
		d.marked()
	}
}

// add is mark without waking the writer. mu is held.
func (d *dirty) add(g *group) {
	if d.groups == nil {
		d.groups = map[*group]struct{}{}
	}
	d.groups[g] = struct{}{}
}

// again marks a group for the next transaction that there is anyway.
func (d *dirty) again(g *group) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(g)
}

func (d *dirty) empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.groups) == 0
}

func (d *dirty) take() (all []*group) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.groups {
		all = append(all, g)
	}
	clear(d.groups)
	return all
}

// savePositions writes down how far the groups are that have moved.
func (t *tx) savePositions() error {
	all := t.store.dirty.take()
	for _, g := range all {
		t.onUndo(func() { t.store.dirty.again(g) })
	}
	for _, g := range all {
		if slices.Contains(t.forgotten, g.id) {
			continue
		}
		if err := t.savePosition(g); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) savePosition(g *group) error {
	next, waiting, seen, ok := g.position(t.now)
	if !ok {
		return nil
	}
	n, err := t.exec("UPDATE positions SET next = ?, seen = ? WHERE id = ?", next, text(seen), g.id)
	if err != nil || n == 0 { // it may have been forgotten just now
		return err
	}
	saved := make(map[int64]window.Waiting, len(waiting))
	for _, one := range waiting {
		saved[one.Position] = one
		if g.waiting[one.Position] == one {
			continue
		}
		if _, err := t.exec("INSERT OR REPLACE INTO waiting (topic, position, group_id, attempts, due) VALUES (?, ?, ?, ?, ?)",
			g.topic.id, one.Position, g.id, one.Attempt, optional(one.Due)); err != nil {
			return err
		}
	}
	for position := range g.waiting {
		if _, waits := saved[position]; !waits {
			if err := t.endWait(g, position); err != nil {
				return err
			}
		}
	}
	t.onCommit(func() { g.saved(next, saved) })
	return nil
}

// endWait removes a message from those that wait, and from the log if it was
// kept for that only.
func (t *tx) endWait(g *group, position int64) error {
	if _, err := t.exec("DELETE FROM waiting WHERE topic = ? AND position = ? AND group_id = ?", g.topic.id, position, g.id); err != nil {
		return err
	}
	if position >= g.topic.first {
		return nil
	}
	_, err := t.exec("DELETE FROM messages WHERE topic = ? AND position = ? AND NOT EXISTS ("+liveWaiting+")", g.topic.id, position)
	return err
}

func (g *group) saved(next int64, waiting map[int64]window.Waiting) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next.Store(next)
	g.waits.Store(int64(len(waiting)))
	g.waiting = waiting
}
