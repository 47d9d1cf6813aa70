package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

var errNoPosition = fmt.Errorf("the group has no position: %w", backend.ErrNotFound)

// Fix implements [backend.Positioner].
func (b *Backend) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	err := b.position(ctx, topic, group, func(s *store) error {
		if t := s.topic(topic); t != nil && t.group(group) != nil {
			return nil
		}
		return s.do(ctx, func(t *tx) error { return t.fix(topic, group, from) })
	})
	if err != nil {
		return fmt.Errorf("sqlite: fix the position of %s in %s: %w", group, topic, err)
	}
	return nil
}

// Rename implements [backend.Positioner]. Members that consume go on under the
// new name.
func (b *Backend) Rename(ctx context.Context, topic, from, to string) error {
	err := check(topic, to)
	if err == nil {
		err = b.position(ctx, topic, from, func(s *store) error {
			return s.do(ctx, func(t *tx) error { return t.rename(topic, from, to) })
		})
	}
	if err != nil {
		return fmt.Errorf("sqlite: rename %s in %s: %w", from, topic, err)
	}
	return nil
}

// Forget implements [backend.Positioner]. Members that consume get nothing
// more; whoever consumes next starts a new group.
func (b *Backend) Forget(ctx context.Context, topic, group string) error {
	err := b.position(ctx, topic, group, func(s *store) error {
		return s.do(ctx, func(t *tx) error { return t.forget(topic, group) })
	})
	if err != nil {
		return fmt.Errorf("sqlite: forget %s in %s: %w", group, topic, err)
	}
	return nil
}

// Lag implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound.
func (b *Backend) Lag(ctx context.Context, topic, group string) (lag int64, err error) {
	err = b.position(ctx, topic, group, func(s *store) error {
		g, err := s.find(topic, group)
		if err == nil {
			lag = g.lag()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sqlite: lag of %s in %s: %w", group, topic, err)
	}
	return lag, nil
}

// CatchUp implements [backend.Positioner]. For a group without a position the
// error wraps backend.ErrNotFound. Messages that the group is moved over count
// as finished.
func (b *Backend) CatchUp(ctx context.Context, topic, group string) error {
	err := b.position(ctx, topic, group, func(s *store) error {
		g, err := s.find(topic, group)
		if err != nil {
			return err
		}
		ctx, cancel := b.whileOpen(ctx)
		defer cancel()
		if err = g.catchUp(ctx); err != nil && b.isClosed() {
			err = backend.ErrClosed
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlite: catch up %s in %s: %w", group, topic, err)
	}
	return nil
}

// position does f, which is about a group's position.
func (b *Backend) position(ctx context.Context, topic, group string, f func(*store) error) error {
	s, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer b.leave()
	if err := check(topic, group); err != nil {
		return err
	}
	return f(s)
}

// find returns the group if it has a position.
func (s *store) find(topic, name string) (*group, error) {
	if t := s.topic(topic); t != nil {
		if g := t.group(name); g != nil {
			return g, nil
		}
	}
	return nil, errNoPosition
}

// fix gives the group a position if it has none.
func (t *tx) fix(topic, name string, from backend.Start) error {
	in, err := t.topic(topic)
	if err != nil {
		return err
	}
	next, err := t.start(in, from)
	if err != nil {
		return err
	}
	g := &group{topic: in, name: name, seen: t.now}
	g.next.Store(next)
	err = t.row("INSERT INTO positions (topic, group_name, next, seen) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
		[]any{in.id, name, next, text(t.now)}, &g.id)
	if isNoRows(err) { // it has one
		return nil
	}
	t.onCommit(func() { in.add(g) })
	return err
}

// start finds where a group begins.
func (t *tx) start(in *topic, from backend.Start) (int64, error) {
	switch {
	case from.Oldest():
		return in.first, nil
	case from.Time().IsZero():
		return in.next, nil
	}
	// A message published at a time is stored with the microsecond that it is
	// in, and the times in a log never descend.
	return t.since(in, text(from.Time()))
}

// since finds the first message of the topic that was published then or later.
func (t *tx) since(in *topic, when string) (int64, error) {
	low, high := in.first, in.next
	for low < high {
		middle := low + (high-low)/2
		var published string
		if err := t.row("SELECT published FROM messages WHERE topic = ? AND position >= ? ORDER BY position LIMIT 1",
			[]any{in.id, middle}, &published); err != nil {
			return 0, err
		}
		if published < when {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

func (t *tx) rename(topic, from, to string) error {
	in, err := t.topic(topic)
	if err != nil {
		return err
	}
	n, err := t.exec(`UPDATE positions SET group_name = ?3 WHERE topic = ?1 AND group_name = ?2
		AND NOT EXISTS (SELECT 1 FROM positions WHERE topic = ?1 AND group_name = ?3)`, in.id, from, to)
	if err == nil && n > 0 {
		t.onCommit(func() { in.rename(from, to) })
	}
	return err
}

func (t *tx) forget(topic, name string) error {
	in, err := t.topic(topic)
	if err != nil {
		return err
	}
	var id int64
	err = t.row("SELECT id FROM positions WHERE topic = ? AND group_name = ?", []any{in.id, name}, &id)
	if isNoRows(err) {
		return nil
	}
	if err == nil {
		err = t.release(in, id)
	}
	if err == nil {
		_, err = t.exec("DELETE FROM positions WHERE id = ?", id)
	}
	if err != nil {
		return err
	}
	t.forgotten = append(t.forgotten, id)
	t.onUndo(func() { t.forgotten = t.forgotten[:len(t.forgotten)-1] })
	t.onCommit(func() {
		if g := in.remove(name); g != nil {
			g.forget()
		}
		in.gate.Pass() // what it had not finished counts no longer
	})
	return nil
}

// release removes the messages that are kept only because they wait in the
// group.
func (t *tx) release(in *topic, id int64) error {
	_, err := t.exec(`DELETE FROM messages WHERE topic = ?1 AND position < ?2
		AND position IN (SELECT position FROM waiting WHERE group_id = ?3)
		AND NOT EXISTS (`+liveWaiting+` AND p.id != ?3)`, in.id, in.first, id)
	return err
}

// catchUp waits until the group has finished what was published.
func (g *group) catchUp(ctx context.Context) error {
	until := g.topic.tail.Load()
	for {
		changed := g.changed.next()
		g.mu.Lock()
		w, read, gone, closed := g.window, g.read, g.gone, g.closed
		finished := w == nil && g.next.Load() >= until && g.waits.Load() == 0
		g.mu.Unlock()
		switch {
		case gone:
			return errNoPosition
		case closed:
			return backend.ErrClosed
		case finished:
			return nil
		case w != nil && read >= until:
			if err := w.CatchUp(ctx); err == nil || ctx.Err() != nil {
				return err
			}
			continue // the window was closed: why is to be seen
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lastSeen tells when the group had a member, or that it has one.
func (g *group) lastSeen() (at time.Time, now bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seen, g.members > 0
}
