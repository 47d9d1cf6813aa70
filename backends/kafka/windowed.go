package kafka

import (
	"context"
	"errors"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/window"
)

// windowed is the claim of a partition whose messages go to handlers.
type windowed struct {
	member *member
	window *window.Window
	begin  func() // has the window's messages handled
	ending context.Context
	end    context.CancelFunc
	ended  sync.WaitGroup

	mu    sync.Mutex
	next  int64 // the offset after the last that was read
	floor int64 // reading went on there; noOffset if it did not
	over  bool  // nothing begins any more
	// What a member before wrote down is waited for first: rest is of it what
	// has not been read yet, and waiting and messages are what has. at is where
	// reading began. They are of no use once restored is set.
	restored bool
	at       int64
	rest     note
	waiting  []window.Waiting
	messages []*message.Message
}

// newWindowed makes a claim, whose handlers share their turns with those of the
// member's other claims.
func newWindowed(ctx context.Context, m *member, c backend.Consumption, turns chan struct{}, at int64, n note) *windowed {
	config := &m.backend.config
	w := &windowed{member: m, next: at, floor: noOffset, at: at, rest: n.from(at)}
	after := max(at, w.rest.next) - 1
	w.window = window.New(func(c *window.Config) {
		c.After, c.Moved = after, m.move
		c.MaxParkedPerKey, c.MaxParked = config.MaxParkedPerKey, config.MaxParked
	})
	w.ending, w.end = context.WithCancel(context.Background())
	handle, overflow := c.Handle, c.Overflow
	c.Handle = func(ctx context.Context, b *backend.Batch) (int, error) {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			return handle(ctx, b)
		case <-w.ending.Done():
			return 0, nil
		}
	}
	if overflow != nil {
		c.Overflow = func(m *message.Message) error {
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
				return overflow(m)
			case <-w.ending.Done():
				return errEnding
			}
		}
	}
	w.begin = func() {
		w.ended.Go(func() { _ = w.window.Consume(context.WithoutCancel(ctx), c) })
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restore()
	return w
}

var errEnding = errors.New("the partition is given up")

// restore lets handlers begin, once all that waits was read. mu is held.
func (w *windowed) restore() {
	if w.restored || w.over || len(w.rest.waiting) > 0 {
		return
	}
	w.restored = true
	_ = w.window.Restore(w.waiting, w.messages) // there are as many
	w.waiting, w.messages = nil, nil
	w.begin()
}

func (w *windowed) add(records []*kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	items := make([]window.Item, 0, len(records))
	for _, r := range records {
		w.next = r.Offset + 1
		switch {
		case r.Offset >= w.rest.next:
			w.rest.waiting = nil // what did not come is gone
			w.restore()
			items = append(items, window.Item{Position: r.Offset, Message: decode(r)})
		case len(w.rest.waiting) > 0 && r.Offset == w.rest.waiting[0].Position:
			w.waiting, w.messages = append(w.waiting, w.rest.waiting[0]), append(w.messages, decode(r))
			w.rest.waiting = w.rest.waiting[1:]
			w.restore()
		} // or it is finished
	}
	_ = w.window.Add(items...) // no message is nil
}

func (w *windowed) skip(to int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.floor, w.next = to, to
	w.rest = w.rest.from(to)
	w.restore()
	w.member.move()
}

func (w *windowed) room(ctx context.Context) error {
	n := w.member.backend.config.MaxAhead
	if ctx.Err() == nil {
		n = max(1, n/2) // once it is full, it has to pay to go on
	}
	return w.window.Room(ctx, n) // which ends with the claim, too
}

func (w *windowed) state() state {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.restored { // nothing has changed
		n := note{next: w.rest.next, waiting: append(w.waiting[:len(w.waiting):len(w.waiting)], w.rest.waiting...)}
		return state{low: w.at, note: n.text(), read: w.next, next: max(w.next, n.next), unfinished: int64(len(n.waiting))}
	}
	p := w.window.Position()
	next := p.At
	if p.Clear {
		next = max(p.At+1, w.floor)
	}
	low, n := newNote(p, next)
	return state{low: low, note: n.text(), read: w.next, next: max(w.next, w.rest.next), unfinished: w.window.Lag()}
}

func (w *windowed) stop(ctx context.Context) {
	w.end()
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	_ = w.window.Close(ctx) // what is not finished by then is not
	if ctx.Err() == nil {
		w.ended.Wait()
	}
}
