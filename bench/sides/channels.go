package sides

import (
	"sync"

	"github.com/seed-6c01d079/notify/bench"
)

// Channels is a channel and a goroutine for each observer.
func Channels() bench.Side {
	return bench.Side{Name: "channel per observer", Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		c := &channels{to: make([]chan bench.Event, n)}
		for i := range c.to {
			c.to[i] = make(chan bench.Event, bench.Outstanding)
			c.running.Go(func() {
				for e := range c.to[i] {
					gate.Handled(i, e.Seq)
				}
			})
		}
		return c, nil
	}}
}

type channels struct {
	to      []chan bench.Event
	running sync.WaitGroup
}

func (c *channels) Publish(seq uint64) error {
	e := bench.NewEvent(seq)
	for _, to := range c.to {
		to <- e
	}
	return nil
}

func (c *channels) Close() error {
	for _, to := range c.to {
		close(to)
	}
	c.running.Wait()
	return nil
}
