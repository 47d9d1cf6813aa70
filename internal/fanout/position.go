package fanout

import (
	"fmt"
	"slices"

	"github.com/seed-6c01d079/notify/backend"
)

// ErrNoPosition wraps backend.ErrNotFound.
var ErrNoPosition = fmt.Errorf("the group has no position: %w", backend.ErrNotFound)

// Group returns the group, new at the start if it has to be.
func (t *Topic) Group(name string, from backend.Start) *Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.find(name); g != nil {
		return g
	}
	seg, pos := t.start(from)
	g := newGroup(t, name, seg, pos)
	t.groups.Store(new(append(slices.Clone(*t.groups.Load()), g)))
	return g
}

// Find returns the group, or nil.
func (t *Topic) Find(name string) *Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.find(name)
}

// Rename gives the group another name, if there is no group of that name.
func (t *Topic) Rename(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.find(from); g != nil && t.find(to) == nil {
		g.name = to
	}
}

// Forget ends the group, if there is one.
func (t *Topic) Forget(name string) {
	t.mu.Lock()
	g := t.find(name)
	t.groups.Store(new(slices.DeleteFunc(slices.Clone(*t.groups.Load()), func(other *Group) bool { return other == g })))
	t.mu.Unlock()
	if g != nil {
		g.forget()
		t.gate.Pass() // what it had not finished counts no longer
	}
}

// start finds where a group begins. mu is held.
func (t *Topic) start(from backend.Start) (*segment, int64) {
	tail := t.tail.Load()
	switch {
	case from.Oldest():
		return t.head, t.head.first
	case from.Time().IsZero():
		return t.last, tail
	}
	since := int64(from.Time().Sub(t.born))
	for seg := t.head; seg != nil; seg = seg.next.Load() {
		n := int(min(seg.end(), tail) - seg.first)
		// Appended one after the other, so the stamps ascend.
		if i, _ := slices.BinarySearch(seg.stamps[:n], since); i < n {
			return seg, seg.first + int64(i)
		}
	}
	return t.last, tail
}

// Lag is how many messages the topic has that the group has not finished.
func (g *Group) Lag() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone {
		return 0
	}
	t := g.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	ahead := t.tail.Load() - g.pos
	if g.seg != t.last && g.seg.next.Load() == nil {
		// What follows in the log was dropped up to head.
		ahead = g.seg.end() - g.pos + t.tail.Load() - t.head.first
	}
	return g.out + ahead
}

// forget ends the group: nothing more is delivered or kept for it.
func (g *Group) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = true
	for _, m := range g.members {
		for _, w := range m.workers {
			if w.busy {
				g.reclaim(w)
			}
		}
	}
	g.lanes.drop()
	g.spill.stop()
	g.seg, g.open = nil, nil
	for _, c := range g.catching {
		close(c.done)
	}
	g.catching = nil
}
