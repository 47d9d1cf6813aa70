package sqlite

import (
	"context"
	"time"
)

const (
	// drops is how many rows are deleted in one transaction.
	drops = 500
	// grace is how long after opening no group is abandoned, so that those that
	// are to come back can.
	grace = 10 * time.Minute
)

// liveWaiting finds the groups that hold back a message because it waits.
const liveWaiting = `SELECT 1 FROM waiting w JOIN positions p ON p.id = w.group_id
	WHERE w.topic = messages.topic AND w.position = messages.position AND p.abandoned IS NULL`

// sweep deletes, now and then, what need not be kept any longer.
func (s *store) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, s.config.SweepEvery)
		if err := s.sweepOnce(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.log.Warn("notify: old messages could not be deleted; it is tried again", "file", s.file.path, "error", err)
		}
	}
}

func (s *store) sweepOnce(ctx context.Context, now time.Time) error {
	for _, t := range s.all() {
		for _, g := range t.all() {
			if err := s.look(ctx, g, now); err != nil {
				return err
			}
		}
		if err := s.untilFew(ctx, func(tx *tx) (int, error) { return tx.retain(t, now) }); err != nil {
			return err
		}
		t.gate.Pass()
	}
	for _, expire := range []func(*tx, time.Time) (int, error){
		(*tx).expireTimeline, (*tx).expireContents, (*tx).forgetErased, (*tx).expireCosts, (*tx).expireCostSums,
	} {
		if err := s.untilFew(ctx, func(t *tx) (int, error) { return expire(t, now) }); err != nil {
			return err
		}
	}
	return s.giveBack(ctx)
}

// untilFew runs f, in one transaction after the other, until it has deleted
// less than a full share.
func (s *store) untilFew(ctx context.Context, f func(*tx) (int, error)) error {
	for {
		n := 0
		err := s.do(ctx, func(t *tx) (err error) {
			n, err = f(t)
			return err
		})
		if err != nil || n < drops {
			return err
		}
	}
}

// look writes down that the group has members, or abandons it.
func (s *store) look(ctx context.Context, g *group, now time.Time) error {
	seen, member := g.lastSeen()
	unseen := now.Sub(seen)
	switch {
	case member && unseen > min(s.config.AbandonAfter/10, time.Hour):
		s.dirty.mark(g)
	case !member && unseen > s.config.AbandonAfter && now.Sub(s.opened) >= min(grace, s.config.AbandonAfter) && !g.isAbandoned():
		return s.abandon(ctx, g)
	}
	return nil
}

// abandon has the group hold nothing back any more.
func (s *store) abandon(ctx context.Context, g *group) error {
	done := false
	err := s.do(ctx, func(t *tx) error {
		if err := t.savePosition(g); err != nil {
			return err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if done = g.members == 0 && !g.gone && !g.abandoned; !done {
			return nil
		}
		g.abandoned = true // now: who joins before it is on disk comes too late
		t.onUndo(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.abandoned = false
		})
		if _, err := t.exec("UPDATE positions SET abandoned = ? WHERE id = ?", text(t.now), g.id); err != nil {
			return err
		}
		t.onCommit(g.reset)
		return t.release(g.topic, g.id)
	})
	if err != nil || !done {
		return err
	}
	g.topic.mu.Lock()
	name := g.name
	g.topic.mu.Unlock()
	unfinished := g.lag()
	s.log.Warn("notify: a group without members holds nothing back any more", "topic", g.topic.name, "group", name, "unfinished", unfinished)
	if s.config.Abandoned != nil {
		s.config.Abandoned(g.topic.name, name, unfinished)
	}
	return nil
}

// retain deletes the next messages of the topic that need not be kept, and
// returns how many it went over.
func (t *tx) retain(in *topic, now time.Time) (int, error) {
	var most int64 // before it, every live group has finished, or waits
	if err := t.row("SELECT coalesce(min(next), ?) FROM positions WHERE topic = ? AND abandoned IS NULL",
		[]any{in.next, in.id}, &most); err != nil {
		return 0, err
	}
	tooOld, tooMany := text(now.Add(-t.store.config.RetainFor)), in.next-int64(t.store.config.RetainMessages)
	first, n := in.first, 0
	err := t.each("SELECT position, published FROM messages WHERE topic = ? AND position >= ? AND position < ? ORDER BY position LIMIT ?",
		[]any{in.id, first, most, drops}, func(scan func(...any) error) (bool, error) {
			var position int64
			var published string
			if err := scan(&position, &published); err != nil {
				return false, err
			}
			if position >= tooMany && published >= tooOld {
				return false, nil
			}
			first = position + 1
			n++
			return true, nil
		})
	if err != nil || n == 0 {
		return 0, err
	}
	if _, err := t.exec("DELETE FROM messages WHERE topic = ? AND position >= ? AND position < ? AND NOT EXISTS ("+liveWaiting+")",
		in.id, in.first, first); err != nil {
		return 0, err
	}
	if _, err := t.exec("UPDATE topics SET oldest = ? WHERE id = ?", first, in.id); err != nil {
		return 0, err
	}
	t.store.log.Debug("notify: old messages are being deleted", "topic", in.name, "messages", n)
	before := in.first
	in.first = first
	t.onUndo(func() { in.first = before })
	t.onCommit(func() {
		in.oldest.Store(first)
		t.store.log.Debug("notify: old messages were deleted", "topic", in.name, "messages", n)
	})
	return n, nil
}

// giveBack has the file shrink, a little at a time, while more than a quarter
// of it is unused.
func (s *store) giveBack(ctx context.Context) error {
	const pages, least = 256, 1024
	for {
		var unused, all int64
		err := s.do(ctx, func(t *tx) error {
			if err := t.row("SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count", nil, &unused, &all); err != nil {
				return err
			}
			if unused < least || unused < all/4 {
				return nil
			}
			return t.each("PRAGMA incremental_vacuum(256)", nil, func(func(...any) error) (bool, error) { return true, nil })
		})
		if err != nil || unused-pages < least || unused-pages < all/4 {
			return err
		}
	}
}
