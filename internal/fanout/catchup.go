package fanout

import (
	"context"
	"slices"
)

// catchUp is somebody who waits for a group to finish what was there.
type catchUp struct {
	until int64 // sequence number
	left  int64 // how many before it are not finished
	done  chan struct{}
}

// CatchUp blocks until the group has finished everything that the topic has, or
// ctx ends; or with [ErrNoPosition] once the group is forgotten.
func (g *Group) CatchUp(ctx context.Context) error {
	g.mu.Lock()
	if g.gone {
		g.mu.Unlock()
		return ErrNoPosition
	}
	tail := g.topic.tail.Load()
	c := &catchUp{until: tail, left: g.out + tail - g.pos, done: make(chan struct{})}
	if c.left == 0 {
		g.mu.Unlock()
		return nil
	}
	g.catching = append(g.catching, c)
	g.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case c.left == 0:
		return nil
	case g.gone:
		return ErrNoPosition
	}
	g.catching = slices.DeleteFunc(g.catching, func(other *catchUp) bool { return other == c })
	return ctx.Err()
}

// caught tells those who wait that n messages from seq on are finished. mu is
// held.
func (g *Group) caught(seq int64, n int64) {
	g.catching = slices.DeleteFunc(g.catching, func(c *catchUp) bool {
		c.left -= max(0, min(seq+n, c.until)-seq)
		if c.left == 0 {
			close(c.done)
		}
		return c.left == 0
	})
}
