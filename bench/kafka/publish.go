package kafka

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify/bench"
)

// Publish has callers publish batches of that many messages, each its next one
// when the one before is written, for the length.
func (c *Cluster) Publish(side Side, callers, batch int, length bench.Length) (bench.Cost, error) {
	return c.with(side, func(client Client, topic string) (bench.Cost, error) {
		// The first write finds out where the topic is.
		if err := client.Publish(topic, Messages(0, Partitions*8)...); err != nil {
			return bench.Cost{}, err
		}
		return bench.Measure(func() (int, error) { return publish(client, topic, callers, batch, length) })
	})
}

func publish(client Client, topic string, callers, batch int, length bench.Length) (int, error) {
	var mu sync.Mutex // of length
	var published atomic.Int64
	goesOn := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return length(int(published.Load()))
	}
	failed := make([]error, callers)
	var calling sync.WaitGroup
	for i := range callers {
		calling.Go(func() {
			for n := i * 1_000_000; goesOn(); n += batch {
				if failed[i] = client.Publish(topic, Messages(n, n+batch)...); failed[i] != nil {
					return
				}
				published.Add(int64(batch))
			}
		})
	}
	calling.Wait()
	return int(published.Load()), errors.Join(failed...)
}

// with does a job with a client of the side, in a topic of its own.
func (c *Cluster) with(side Side, job func(client Client, topic string) (bench.Cost, error)) (bench.Cost, error) {
	topic, err := c.Topic()
	if err != nil {
		return bench.Cost{}, err
	}
	client, err := side.Open(c.Brokers())
	if err != nil {
		return bench.Cost{}, errors.Join(err, c.Drop(topic))
	}
	cost, err := job(client, topic)
	return cost, errors.Join(err, client.Close(), c.Drop(topic))
}
