package sides

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/components/cqrs"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/bench"
)

// CQRS is Watermill's typed event bus, with JSON, on gochannel: what the
// budgets are measured against. Its router has no middleware.
func CQRS() bench.Side {
	return bench.Side{Name: CQRSName, Start: func(n int, gate *bench.Gate) (bench.Bus, error) {
		b, err := newCQRS()
		if err != nil {
			return nil, err
		}
		for i := range n {
			handler := cqrs.NewEventHandler("observer-"+strconv.Itoa(i), func(_ context.Context, e *bench.Event) error {
				gate.Handled(i, e.Seq)
				return nil
			})
			if err := b.processor.AddHandlers(handler); err != nil {
				return nil, errors.Join(fmt.Errorf("add a handler: %w", err), b.Close())
			}
		}
		go func() { b.ended <- b.router.Run(context.Background()) }()
		<-b.router.Running()
		return b, nil
	}}
}

type cqrsBus struct {
	router    *message.Router
	processor *cqrs.EventProcessor
	events    *cqrs.EventBus
	ended     chan error
}

func newCQRS() (*cqrsBus, error) {
	pubsub := newGoChannel()
	router, err := message.NewRouter(message.RouterConfig{}, watermill.NopLogger{})
	if err != nil {
		return nil, fmt.Errorf("make the router: %w", err)
	}
	b := &cqrsBus{router: router, ended: make(chan error, 1)}
	b.processor, err = cqrs.NewEventProcessorWithConfig(router, cqrs.EventProcessorConfig{
		GenerateSubscribeTopic: func(cqrs.EventProcessorGenerateSubscribeTopicParams) (string, error) { return topic, nil },
		SubscriberConstructor: func(cqrs.EventProcessorSubscriberConstructorParams) (message.Subscriber, error) {
			return pubsub, nil
		},
		Marshaler: cqrs.JSONMarshaler{},
	})
	if err != nil {
		return nil, fmt.Errorf("make the event processor: %w", err)
	}
	b.events, err = cqrs.NewEventBusWithConfig(pubsub, cqrs.EventBusConfig{
		GeneratePublishTopic: func(cqrs.GenerateEventPublishTopicParams) (string, error) { return topic, nil },
		Marshaler:            cqrs.JSONMarshaler{},
	})
	if err != nil {
		return nil, fmt.Errorf("make the event bus: %w", err)
	}
	return b, nil
}

func (b *cqrsBus) Publish(seq uint64) error {
	e := bench.NewEvent(seq)
	return b.events.Publish(context.Background(), &e)
}

// Close closes the router, which closes gochannel with it.
func (b *cqrsBus) Close() error {
	return errors.Join(b.router.Close(), <-b.ended)
}
