package notify_test

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// topicsOnly is a backend that keeps no records and shows its topics.
type topicsOnly struct {
	backend.Backend
	backend.Consumer
	backend.Positioner
	backend.DelayedPublisher
	backend.Admitter
	backend.DeadLetters
	backend.SecretKeeper
	tails *atomic.Int64
}

func withoutRecords(b *memory.Backend) topicsOnly {
	return topicsOnly{b, b, b, b, b, b, b, new(atomic.Int64)}
}

// Tail reads the topic as a group that is forgotten.
func (t topicsOnly) Tail(ctx context.Context, topic, key string, _ time.Time) iter.Seq2[*message.Message, error] {
	return func(yield func(*message.Message, error) bool) {
		group := "tail-" + time.Duration(t.tails.Add(1)).String()
		defer func() { _ = t.Forget(context.Background(), topic, group) }()
		if err := t.Fix(ctx, topic, group, backend.FromOldest()); err != nil {
			yield(nil, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		found, ended := make(chan *message.Message), make(chan error, 1)
		go func() {
			ended <- t.Consume(ctx, backend.Consumption{
				Topic: topic, Group: group,
				Handle: func(_ context.Context, b *backend.Batch) (done int, err error) {
					for b.Next() {
						if backend.Key(b.Message()) == key {
							select {
							case found <- b.Message():
							case <-ctx.Done():
								return done, nil
							}
						}
						done++
					}
					return done, nil
				},
			})
		}()
		defer func() { cancel(); <-ended }()
		for {
			select {
			case m := <-found:
				if !yield(m, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// unrecorded is the form without records.
var unrecorded = form{"no records", func(b *memory.Backend) notify.Backend { return withoutRecords(b) }}
