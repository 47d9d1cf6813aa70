package sqlite

import (
	"context"
	"fmt"

	"github.com/seed-6c01d079/notify/backend"
)

// Consume implements [backend.Consumer]. A group without a position starts at
// the oldest message that the topic has.
func (b *Backend) Consume(ctx context.Context, c backend.Consumption) error {
	if err := c.Complete(); err != nil {
		return fmt.Errorf("sqlite: consume: %w", err)
	}
	s, err := b.enter(context.WithoutCancel(ctx))
	if err == nil {
		defer b.leave()
		err = b.consume(ctx, s, c)
	}
	if err != nil {
		return fmt.Errorf("sqlite: consume %s: %w", c.Topic, err)
	}
	return nil
}

// consume is Consume for what is complete, between enter and leave.
func (b *Backend) consume(ctx context.Context, s *store, c backend.Consumption) error {
	ctx, cancel := b.whileOpen(ctx)
	defer cancel()
	for ctx.Err() == nil {
		g, skipped, err := s.revive(ctx, c.Topic, c.Group)
		if err != nil {
			return unlessOver(ctx, err)
		}
		if c.Skipped != nil {
			for _, one := range skipped {
				c.Skipped(one.from, one.to)
			}
		}
		w, err := g.join()
		switch {
		case err != nil:
			return unlessOver(ctx, err)
		case w == nil:
			continue // forgotten or abandoned since; or closed, as is ctx then
		}
		err = w.Consume(ctx, c)
		g.leave()
		if err != nil && ctx.Err() == nil && !g.isGone() {
			return err
		}
		// A group that was forgotten gets nothing more.
		<-ctx.Done()
		return nil
	}
	return nil
}

func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (g *group) isGone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.gone
}

// skip says that a group was moved over the messages from <= n < to.
type skip struct{ from, to int64 }

// revive returns the group, new if it has to be. One that was abandoned holds
// messages back again; skipped is what has gone meanwhile.
func (s *store) revive(ctx context.Context, topic, name string) (_ *group, skipped []skip, err error) {
	for {
		g, err := s.find(topic, name)
		switch {
		case err != nil:
			if err := s.do(ctx, func(t *tx) error { return t.fix(topic, name, backend.FromOldest()) }); err != nil {
				return nil, nil, err
			}
			continue
		case !g.isAbandoned():
			return g, nil, nil
		}
		err = s.do(ctx, func(t *tx) (err error) {
			skipped, err = t.revive(g)
			return err
		})
		return g, skipped, err
	}
}

func (t *tx) revive(g *group) (skipped []skip, err error) {
	if !g.isAbandoned() { // another member was faster
		return nil, nil
	}
	err = t.each(`DELETE FROM waiting WHERE group_id = ?1 AND NOT EXISTS
		(SELECT 1 FROM messages m WHERE m.topic = waiting.topic AND m.position = waiting.position) RETURNING position`, []any{g.id},
		func(scan func(...any) error) (bool, error) {
			var at int64
			err := scan(&at)
			skipped = append(skipped, skip{at, at + 1})
			return true, err
		})
	if err != nil {
		return nil, err
	}
	var next, waits int64
	if err := t.row("SELECT next, (SELECT count(*) FROM waiting WHERE group_id = positions.id) FROM positions WHERE id = ?",
		[]any{g.id}, &next, &waits); isNoRows(err) {
		return nil, nil // forgotten since
	} else if err != nil {
		return nil, err
	}
	if first := g.topic.first; next < first {
		skipped = append(skipped, skip{next, first})
		next = first
	}
	_, err = t.exec("UPDATE positions SET next = ?, seen = ?, abandoned = NULL WHERE id = ?", next, text(t.now), g.id)
	t.onCommit(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.abandoned, g.seen = false, t.now
		g.next.Store(next)
		g.waits.Store(waits)
	})
	return skipped, err
}
