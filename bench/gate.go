package bench

import (
	"context"
	"fmt"
	"sync/atomic"
)

// Gate lets a publisher run ahead of its observers by a bounded number of
// events, and counts what they handled. It costs an observer one addition to a
// counter of its own for each event, the same on every side.
type Gate struct {
	tallies   []tally
	chunk     int // events; a power of two
	slots     []slot
	published int
	wrong     atomic.Int64
}

// tally is on a cache line of its own.
type tally struct {
	handled atomic.Int64
	_       [120]byte
}

// slot is a chunk of events on its way.
type slot struct {
	behind atomic.Int32 // observers that have not handled all of it
	free   chan struct{}
}

// NewGate returns a gate for that many observers, with at most that many
// events outstanding: 1, or a power of two from 2.
func NewGate(observers, outstanding int) *Gate {
	g := &Gate{tallies: make([]tally, observers), chunk: max(outstanding/2, 1), slots: make([]slot, min(outstanding, 2))}
	for i := range g.slots {
		g.slots[i].free = make(chan struct{}, 1)
		g.slots[i].free <- struct{}{}
	}
	return g
}

// Handled notes that an observer has handled the event with that number.
func (g *Gate) Handled(observer int, seq uint64) {
	if seq == 0 {
		g.wrong.Add(1)
	}
	handled := int(g.tallies[observer].handled.Add(1))
	if handled&(g.chunk-1) != 0 {
		return
	}
	s := &g.slots[(handled/g.chunk-1)%len(g.slots)]
	if s.behind.Add(-1) == 0 {
		s.free <- struct{}{}
	}
}

// Feed publishes chunk after chunk while more says so, and returns how many
// events it published, once every observer has handled every one. An observer
// that gets an event too few holds it up until ctx ends.
func (g *Gate) Feed(ctx context.Context, publish func(seq uint64) error, more Length) (int, error) {
	fed := 0
	for ; more(fed); fed += g.chunk {
		s := &g.slots[g.published/g.chunk%len(g.slots)]
		if err := g.await(ctx, s); err != nil {
			return fed, err
		}
		s.behind.Store(int32(len(g.tallies)))
		for range g.chunk {
			g.published++
			if err := publish(uint64(g.published)); err != nil {
				return fed, fmt.Errorf("publish event %d: %w", g.published, err)
			}
		}
	}
	for i := range g.slots {
		if err := g.await(ctx, &g.slots[i]); err != nil {
			return fed, err
		}
	}
	for i := range g.slots {
		g.slots[i].free <- struct{}{}
	}
	return fed, nil
}

func (g *Gate) await(ctx context.Context, s *slot) error {
	select {
	case <-s.free:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d observers have not handled all events: %w; %w", s.behind.Load(), ctx.Err(), g.Check())
	}
}

// Published is how many events were published through the gate.
func (g *Gate) Published() int { return g.published }

// Check returns an error if an observer has not handled exactly what was
// published.
func (g *Gate) Check() error {
	if wrong := g.wrong.Load(); wrong != 0 {
		return fmt.Errorf("%d events arrived without their number", wrong)
	}
	for i := range g.tallies {
		if handled := g.tallies[i].handled.Load(); handled != int64(g.published) {
			return fmt.Errorf("observer %d handled %d events of %d", i, handled, g.published)
		}
	}
	return nil
}
