package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Consume implements [backend.Consumer]. A group without a position starts at
// the oldest message that the topic has. While the database cannot be reached
// it goes on trying.
func (b *Backend) Consume(ctx context.Context, c backend.Consumption) error {
	err := c.Complete()
	if err == nil {
		err = checkGroup(c.Topic, c.Group)
	}
	if err != nil {
		return fmt.Errorf("postgres: consume: %w", err)
	}
	if err := b.begin(); err != nil {
		return fmt.Errorf("postgres: consume %s: %w", c.Topic, err)
	}
	defer b.consuming.Done()
	if ctx.Err() != nil {
		return nil
	}
	b.consume(ctx, c)
	return nil
}

// consume is Consume for what is complete, between begin and consuming.Done.
func (b *Backend) consume(ctx context.Context, c backend.Consumption) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	m := newMember(ctx, c)
	s := b.join(m)
	<-ctx.Done()
	s.dismiss(m)
	m.ended.Wait()
	s.leave(m)
}

// member is one call of Consume: it consumes from the window of every partition
// that the process holds for the group.
type member struct {
	backend.Consumption
	ctx   context.Context
	ended sync.WaitGroup // its consuming
	over  bool           // nothing is added to ended; guarded by the share's mu
	turns chan struct{}  // holds one for each call of Handle or Overflow that is under way
}

func newMember(ctx context.Context, c backend.Consumption) *member {
	return &member{Consumption: c, ctx: ctx, turns: make(chan struct{}, c.Concurrency)}
}

// consume has the member consume from a part. The share's mu is held.
func (m *member) consume(p *part) {
	if m.over {
		return
	}
	m.ended.Go(func() {
		c := m.Consumption
		c.Handle = func(ctx context.Context, b *backend.Batch) (int, error) {
			if !m.turn(p) {
				return 0, nil
			}
			defer m.done()
			return m.Handle(ctx, b)
		}
		if m.Overflow != nil {
			c.Overflow = p.overflow(m)
		}
		if err := p.window.Consume(m.ctx, c); err != nil && !errors.Is(err, backend.ErrClosed) {
			p.share.backend.complain("a member of "+m.Group+" gets nothing", err)
		}
	})
}

// turn waits until the member may handle something more, as its Concurrency is
// that over all windows. It returns false if it must not handle any more: it
// leaves, or the lease is over.
func (m *member) turn(p *part) bool {
	select {
	case m.turns <- struct{}{}:
	case <-m.ctx.Done():
		return false
	case <-p.lost:
		return false
	}
	held := p.held()
	if m.ctx.Err() == nil && held {
		return true
	}
	m.done()
	if !held { // it is about to be lost
		select {
		case <-m.ctx.Done():
		case <-p.lost:
		}
	}
	return false
}

func (m *member) done() { <-m.turns }

// overflow is the member's Overflow, within its Concurrency.
func (p *part) overflow(m *member) func(*message.Message) error {
	return func(msg *message.Message) error {
		if !m.turn(p) {
			return errLost
		}
		defer m.done()
		return m.Overflow(msg)
	}
}

// errLost says that the partition is not this process's any more.
var errLost = errors.New("the partition has gone to another process")
