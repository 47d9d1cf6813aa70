package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-6c01d079/notify/backend"
)

var errNoPosition = fmt.Errorf("the group has no position: %w", backend.ErrNotFound)

// Fix implements [backend.Positioner].
func (b *Backend) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	if err := b.check(ctx, topic, group); err != nil {
		return fmt.Errorf("memory: fix the position of %s in %s: %w", group, topic, err)
	}
	b.topic(topic).group(group, from)
	return nil
}

// Rename implements [backend.Positioner]. Members that consume go on under the
// new name.
func (b *Backend) Rename(ctx context.Context, topic, from, to string) error {
	err := b.check(ctx, topic, from)
	if err == nil {
		err = b.check(ctx, topic, to)
	}
	if err != nil {
		return fmt.Errorf("memory: rename %s in %s: %w", from, topic, err)
	}
	t := b.topic(topic)
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.find(from); g != nil && t.find(to) == nil {
		g.name = to
	}
	return nil
}

// Forget implements [backend.Positioner]. Members that consume get nothing
// more; whoever consumes next starts a new group.
func (b *Backend) Forget(ctx context.Context, topic, group string) error {
	if err := b.check(ctx, topic, group); err != nil {
		return fmt.Errorf("memory: forget %s in %s: %w", group, topic, err)
	}
	t := b.topic(topic)
	if g := t.remove(group); g != nil {
		g.forget()
		t.gate.pass() // what it had not finished counts no longer
	}
	return nil
}

// Lag implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound.
func (b *Backend) Lag(ctx context.Context, topic, group string) (int64, error) {
	g, err := b.position(ctx, topic, group)
	if err != nil {
		return 0, fmt.Errorf("memory: lag of %s in %s: %w", group, topic, err)
	}
	return g.lag(), nil
}

// CatchUp implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound. Messages that the group is moved over count
// as finished.
func (b *Backend) CatchUp(ctx context.Context, topic, group string) error {
	g, err := b.position(ctx, topic, group)
	if err == nil {
		err = g.catchUp(ctx)
	}
	if err != nil {
		if b.closed.Load() {
			err = backend.ErrClosed
		}
		return fmt.Errorf("memory: catch up %s in %s: %w", group, topic, err)
	}
	return nil
}

// position returns the group if it has a position.
func (b *Backend) position(ctx context.Context, topic, group string) (*group, error) {
	if err := b.check(ctx, topic, group); err != nil {
		return nil, err
	}
	t := (*b.topics.Load())[topic]
	if t == nil {
		return nil, errNoPosition
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.find(group); g != nil {
		return g, nil
	}
	return nil, errNoPosition
}

func (b *Backend) check(ctx context.Context, topic, group string) error {
	switch {
	case b.closed.Load():
		return backend.ErrClosed
	case topic == "":
		return errors.New("the topic is empty")
	case group == "":
		return errors.New("the group is empty")
	}
	return ctx.Err()
}

// group returns the group, new at the start if it has to be.
func (t *topic) group(name string, from backend.Start) *group {
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

// remove takes the group out of the topic and returns it, or nil.
func (t *topic) remove(name string) *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.find(name)
	t.groups.Store(new(slices.DeleteFunc(slices.Clone(*t.groups.Load()), func(other *group) bool { return other == g })))
	return g
}

// start finds where a group begins. mu is held.
func (t *topic) start(from backend.Start) (*segment, int64) {
	tail := t.tail.Load()
	switch {
	case from.Oldest():
		return t.head, t.head.first
	case from.Time().IsZero():
		return t.last, tail
	}
	since := from.Time().Sub(t.born)
	for seg := t.head; seg != nil; seg = seg.next.Load() {
		n := int(min(seg.end(), tail) - seg.first)
		// Appended one after the other, so the times ascend.
		if i, _ := slices.BinarySearch(seg.times[:n], since); i < n {
			return seg, seg.first + int64(i)
		}
	}
	return t.last, tail
}

// lag is how many messages the topic has that the group has not finished.
func (g *group) lag() int64 {
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
func (g *group) forget() {
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
