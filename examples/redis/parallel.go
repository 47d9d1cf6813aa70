package main

import (
	"context"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// parallel makes several subscriptions where one is asked for, and so takes
// several messages at once from a Pub/Sub that gives one at a time to each. They
// keep no order.
type parallel struct {
	message.Subscriber
	lanes int
}

// Subscribe implements [message.Subscriber]. When one of the subscriptions ends,
// all do.
func (p parallel) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if p.lanes == 1 {
		return p.Subscriber.Subscribe(ctx, topic)
	}
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan *message.Message)
	var open sync.WaitGroup
	end := func() {
		cancel()
		open.Wait()
		close(out)
	}
	for range p.lanes {
		lane, err := p.Subscriber.Subscribe(ctx, topic)
		if err != nil {
			end()
			return nil, err
		}
		open.Go(func() {
			defer cancel()
			for m := range lane {
				select {
				case out <- m:
				case <-ctx.Done(): // it stays pending
				}
			}
		})
	}
	go func() {
		<-ctx.Done()
		end()
	}()
	return out, nil
}
