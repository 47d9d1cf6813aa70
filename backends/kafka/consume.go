package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/window"
)

// Consume implements [backend.Consumer]. Each call is a member of the group in
// the cluster, and has the partitions that this assigns to it; a process that
// wants more handlers at once raises Consumption.Concurrency. A group without a
// position starts at the oldest message that the topic has. Consumption.Skipped
// is told the offsets of one partition.
//
// It returns an error when the cluster refuses the member, or cannot be reached
// for [Config.Session], and may be called again.
func (b *Backend) Consume(ctx context.Context, c backend.Consumption) error {
	err := c.Complete()
	if err == nil {
		err = b.consume(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("kafka: consume %s for %s: %w", c.Topic, c.Group, err)
	}
	return nil
}

func (b *Backend) consume(ctx context.Context, c backend.Consumption) error {
	if ctx.Err() != nil {
		return b.alive()
	}
	err := b.position(ctx, c.Topic, c.Group, func(ctx context.Context, name, id string) error {
		return b.fix(ctx, name, id, backend.FromOldest())
	})
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	b.delays.run()
	m := &member{backend: b, topic: b.topicName(c.Topic), id: b.groupID(c.Topic, c.Group), skipped: c.Skipped}
	turns := make(chan struct{}, c.Concurrency)
	m.busy = func() bool { return len(turns) == cap(turns) }
	m.open = func(_ int32, at int64) claim { return newWindowed(ctx, m, c, turns, at) }
	if err := m.run(ctx); !errors.Is(err, errDismissed) {
		return err
	}
	select { // nothing more comes
	case <-ctx.Done():
	case <-b.open.Done():
	}
	return nil
}

// alive returns an error if the backend is closed.
func (b *Backend) alive() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return backend.ErrClosed
	}
	return nil
}

// windowed is the claim of a partition whose messages go to handlers.
type windowed struct {
	member *member
	window *window.Window
	next   atomic.Int64 // the offset after the last that was added
	floor  atomic.Int64 // reading went on there; noOffset if it did not
	ending context.Context
	end    context.CancelFunc
	ended  sync.WaitGroup
}

// newWindowed makes a claim, whose handlers share their turns with those of the
// member's other claims.
func newWindowed(ctx context.Context, m *member, c backend.Consumption, turns chan struct{}, at int64) *windowed {
	config := &m.backend.config
	w := &windowed{member: m, window: window.New(func(c *window.Config) {
		c.After, c.Moved = at-1, m.move
		c.MaxParkedPerKey, c.MaxParked = config.MaxParkedPerKey, config.MaxParked
	})}
	w.next.Store(at)
	w.floor.Store(noOffset)
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
	w.ended.Go(func() { _ = w.window.Consume(context.WithoutCancel(ctx), c) })
	return w
}

var errEnding = errors.New("the partition is given up")

func (w *windowed) add(records []*kgo.Record) {
	items := make([]window.Item, len(records))
	for i, r := range records {
		items[i] = window.Item{Position: r.Offset, Message: decode(r)}
	}
	_ = w.window.Add(items...) // no message is nil
	w.next.Store(records[len(records)-1].Offset + 1)
}

func (w *windowed) skip(to int64) {
	w.floor.Store(to)
	w.next.Store(to)
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
	// In this order: what is added meanwhile counts as unfinished.
	next := w.next.Load()
	low, clear := w.window.Low()
	if clear {
		low = max(low+1, w.floor.Load())
	}
	return state{low: low, next: next, unfinished: w.window.Lag()}
}

func (w *windowed) stop(ctx context.Context) {
	w.end()
	_ = w.window.Close(ctx) // what is not finished by then is not
	if ctx.Err() == nil {
		w.ended.Wait()
	}
}
