package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// routerConsumer consumes a backend that is no [backend.Consumer] on Watermill's
// Router. Every call of Consume has a subscription and a Router of its own: a
// Router closes with its last handler, and closes the subscribers of all of them.
type routerConsumer struct {
	backend Backend
	log     watermill.LoggerAdapter

	mu   sync.Mutex
	made map[subscribed][]*feed // subscriptions that wait for their Consume
}

// subscribed names what a subscription is of.
type subscribed struct{ topic, group string }

// feed is a subscription that has been made.
type feed struct {
	messages <-chan *message.Message
	sub      message.Subscriber
	cancel   context.CancelFunc
}

func (f *feed) end() error {
	f.cancel()
	if err := f.sub.Close(); err != nil {
		return fmt.Errorf("notify: close the subscriber: %w", err)
	}
	return nil
}

func newRouterConsumer(b Backend, log *slog.Logger) *routerConsumer {
	// What the Router tells of its life is of no interest to a host.
	quiet := map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}
	return &routerConsumer{
		backend: b, log: watermill.NewSlogLoggerWithLevelMapping(log, quiet), made: map[subscribed][]*feed{},
	}
}

// subscriptions is a consumer of a backend without positions, where a group
// sees what is published once its subscription is made: the next Consume of the
// topic and group uses the one that subscribe made. If there is none, the
// subscription ends with ctx.
type subscriptions interface {
	subscribe(ctx context.Context, topic, group string) error
}

func (r *routerConsumer) subscribe(ctx context.Context, topic, group string) error {
	f, err := r.open(ctx, topic, group)
	if err != nil {
		return err
	}
	of := subscribed{topic, group}
	r.mu.Lock()
	r.made[of] = append(r.made[of], f)
	r.mu.Unlock()
	context.AfterFunc(ctx, func() {
		if unused := r.take(of); unused != nil {
			_ = unused.end()
		}
	})
	return nil
}

// open makes a subscription that outlives ctx.
func (r *routerConsumer) open(ctx context.Context, topic, group string) (*feed, error) {
	sub, err := r.backend.Subscriber(group)
	if err != nil {
		return nil, fmt.Errorf("notify: subscriber of %s: %w", group, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	messages, err := sub.Subscribe(ctx, topic)
	if err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("notify: subscribe %s to %s: %w", group, topic, err), sub.Close())
	}
	return &feed{messages: messages, sub: sub, cancel: cancel}, nil
}

// take returns a subscription that was made for it, or nil.
func (r *routerConsumer) take(of subscribed) *feed {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.made[of]
	if len(all) == 0 {
		return nil
	}
	if r.made[of] = all[1:]; len(all) == 1 {
		delete(r.made, of)
	}
	return all[0]
}

// Consume implements [backend.Consumer] as far as the subscriber goes. Messages
// come one a batch. It fails if the subscription closes by itself.
func (r *routerConsumer) Consume(ctx context.Context, c backend.Consumption) error {
	if err := c.Complete(); err != nil {
		return fmt.Errorf("notify: consume: %w", err)
	}
	f := r.take(subscribed{c.Topic, c.Group})
	switch {
	case ctx.Err() != nil && f == nil:
		return nil
	case ctx.Err() != nil:
		return f.end()
	case f == nil:
		var err error
		if f, err = r.open(ctx, c.Topic, c.Group); err != nil {
			return err
		}
	}
	return newSubscription(ctx, c, f).run(ctx, r.log)
}
