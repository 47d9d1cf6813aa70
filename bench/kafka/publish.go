package kafka

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/bench"
)

// Publish has callers publish batches of that many messages, each its next one
// when the one before is written, for the length.
func (c *Cluster) Publish(side Side, callers, batch int, length bench.Length) (bench.Cost, error) {
	return c.with(c.forgets, side, func(client Client, topic string) (bench.Cost, error) {
		// The first write finds out where the topic is.
		if err := client.Publish(topic, Messages(0, Partitions*8)...); err != nil {
			return bench.Cost{}, err
		}
		messages := Messages(0, max(10*Keys, batch)) // again and again, since making them is not what is measured
		return bench.Measure(func() (int, error) { return publish(client, topic, messages, callers, batch, length) })
	})
}

func publish(client Client, topic string, messages []*message.Message, callers, batch int, length bench.Length) (int, error) {
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
			for n := i * batch; goesOn(); n += callers * batch {
				if n+batch > len(messages) {
					n = i
				}
				if failed[i] = client.Publish(topic, messages[n:n+batch]...); failed[i] != nil {
					return
				}
				published.Add(int64(batch))
			}
		})
	}
	calling.Wait()
	return int(published.Load()), errors.Join(failed...)
}
