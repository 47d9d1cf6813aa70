package sqlite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend/window"
)

// group is a consumer group's position in a topic. Once it has had a member in
// this process, it has a window that a goroutine fills from the log.
type group struct {
	topic *topic
	id    int64
	name  string // guarded by topic.mu

	// What is on disk: everything before next is finished or waits.
	next, waits atomic.Int64
	changed     broadcast // for CatchUp: it has a window now, or is gone

	mu        sync.Mutex
	gone      bool // forgotten
	closed    bool
	abandoned bool
	members   int
	seen      time.Time // about when it last had a member
	window    *window.Window
	read      int64                    // the position of the next message to be added
	waiting   map[int64]window.Waiting // as on disk
	stop      context.CancelFunc       // of the goroutine
	ended     chan struct{}
}

const (
	ahead    = 1024    // messages that a group may have read and not finished
	page     = 256     // messages that are read at once
	pageSize = 4 << 20 // bytes that are read at once, about
)

// join makes the caller a member. It returns nil if the group is forgotten,
// abandoned or closed.
func (g *group) join() (*window.Window, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone || g.closed || g.abandoned {
		return nil, nil
	}
	if g.window == nil {
		if err := g.start(); err != nil {
			return nil, err
		}
	}
	g.members++
	return g.window, nil
}

// leave ends a membership.
func (g *group) leave() {
	g.mu.Lock()
	g.members--
	g.seen = time.Now()
	g.mu.Unlock()
	g.topic.store.dirty.mark(g) // to write that down
}

// start makes the window, with what waits in it. mu is held.
func (g *group) start() error {
	c := g.topic.store.config
	next := g.next.Load()
	w := window.New(func(wc *window.Config) {
		wc.MaxParkedPerKey, wc.MaxParked = c.MaxParkedPerKey, c.MaxParked
		wc.Moved = g.moved
		wc.After = next - 1
	})
	waiting, messages, err := g.topic.store.readWaiting(g)
	if err != nil {
		return err
	}
	if err := w.Restore(waiting, messages); err != nil {
		return err
	}
	g.waiting = make(map[int64]window.Waiting, len(waiting))
	for _, one := range waiting {
		g.waiting[one.Position] = one
	}
	g.window, g.read = w, next
	ctx, cancel := context.WithCancel(g.topic.store.life)
	g.stop, g.ended = cancel, make(chan struct{})
	g.topic.store.stopped.Go(func() { g.fill(ctx, w) })
	g.changed.broadcast()
	return nil
}

// fill reads the log into the window.
func (g *group) fill(ctx context.Context, w *window.Window) {
	defer close(g.ended)
	t := g.topic
	for w.Room(ctx, ahead) == nil {
		appended := t.appended.next()
		if tail := t.tail.Load(); g.cursor() < tail {
			if err := g.readPage(w, tail); err != nil {
				t.store.log.Warn("notify: a topic could not be read; it is tried again", "topic", t.name, "error", err)
				sleep(ctx, time.Second)
			}
			continue
		}
		select {
		case <-appended:
		case <-ctx.Done():
			return
		}
	}
}

func (g *group) cursor() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.read
}

// readPage adds what comes next, up to tail.
func (g *group) readPage(w *window.Window, tail int64) error {
	from := g.cursor()
	items := g.topic.end.read(from, tail)
	if items == nil {
		var err error
		if items, err = g.topic.store.readLog(g.topic, from, tail); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := w.Add(items...); err != nil {
		return err
	}
	g.read = tail // if rows are missing that only somebody else can have removed
	if len(items) > 0 {
		g.read = items[len(items)-1].Position + 1
	}
	g.changed.broadcast()
	return nil
}

// moved is told by the window that the position may have changed.
func (g *group) moved() {
	g.topic.store.dirty.mark(g)
	g.topic.gate.Pass()
}

// position is what is to be written down; ok is false if there is nothing new.
func (g *group) position(now time.Time) (next int64, waiting []window.Waiting, seen time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.window == nil || g.gone || g.abandoned {
		return 0, nil, g.seen, false
	}
	if g.members > 0 {
		g.seen = now
	}
	p := g.window.Position()
	if p.Clear {
		p.At++
	}
	return p.At, p.Waiting, g.seen, true
}

// lag is how many messages of the topic the group has not finished.
func (g *group) lag() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.window != nil {
		return g.topic.tail.Load() - g.read + g.window.Lag()
	}
	return g.topic.tail.Load() - max(g.next.Load(), g.topic.oldest.Load()) + g.waits.Load()
}

func (g *group) isAbandoned() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.abandoned
}

// close ends the members, and waits for their handlers.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	w, stop, ended := g.window, g.stop, g.ended
	g.mu.Unlock()
	g.changed.broadcast()
	if w == nil {
		return
	}
	stop()
	<-ended
	_ = w.Close(context.Background())
}

// reset drops the window of a group without members: who joins next begins with
// what is on disk.
func (g *group) reset() {
	g.mu.Lock()
	w, stop, ended := g.window, g.stop, g.ended
	g.window = nil
	g.mu.Unlock()
	if w != nil {
		stop()
		<-ended
		_ = w.Close(context.Background())
	}
}

// forget ends the group: nothing more is delivered, and nobody is waited for.
func (g *group) forget() {
	g.mu.Lock()
	g.gone = true
	w, stop := g.window, g.stop
	g.mu.Unlock()
	g.changed.broadcast()
	if w == nil {
		return
	}
	stop()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.Close(over)
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// readWaiting reads what waits in the group, with the messages.
func (s *store) readWaiting(g *group) (waiting []window.Waiting, messages []*message.Message, err error) {
	err = s.reads.each(context.Background(), `SELECT w.position, w.attempts, w.due, m.uuid, m.metadata, m.payload
		FROM waiting w JOIN messages m ON m.topic = w.topic AND m.position = w.position
		WHERE w.group_id = ? ORDER BY w.position`, []any{g.id},
		func(scan func(...any) error) (bool, error) {
			var one window.Waiting
			var stored storedRow
			if err := scan(&one.Position, &one.Attempt, &stored.due, &stored.uuid, &stored.metadata, &stored.payload); err != nil {
				return false, err
			}
			one.Due = moment(stored.due)
			waiting, messages = append(waiting, one), append(messages, stored.message(one.Position))
			return true, nil
		})
	return waiting, messages, err
}

// readLog reads a page of the topic, from <= position < to.
func (s *store) readLog(t *topic, from, to int64) (items []window.Item, err error) {
	size := 0
	err = s.reads.each(context.Background(), `SELECT position, uuid, metadata, payload FROM messages
		WHERE topic = ? AND position >= ? AND position < ? ORDER BY position LIMIT ?`, []any{t.id, from, to, page},
		func(scan func(...any) error) (bool, error) {
			var position int64
			var stored storedRow
			if err := scan(&position, &stored.uuid, &stored.metadata, &stored.payload); err != nil {
				return false, err
			}
			items = append(items, window.Item{Position: position, Message: stored.message(position)})
			size += len(stored.payload) + len(stored.metadata)
			return size < pageSize, nil
		})
	return items, err
}
