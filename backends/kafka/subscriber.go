package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Subscriber implements [backend.Backend]. Each channel that Subscribe returns
// is a member of the group in the cluster, and has one unacknowledged message at
// a time. A message that was nacked comes again before others of its key, after
// a pause of up to 20 ms. The channel is closed when the context, the handle or
// the backend ends; a consumption that fails goes on by itself. The handle
// implements [message.SubscribeInitializer]: it fixes the group's position at
// the oldest message.
func (b *Backend) Subscriber(group string) (message.Subscriber, error) {
	if err := b.alive(); err != nil {
		return nil, fmt.Errorf("kafka: subscriber: %w", err)
	}
	if group == "" {
		return nil, errors.New("kafka: subscriber: the group is empty")
	}
	s := &subscriber{backend: b, group: group}
	s.open, s.shut = context.WithCancel(b.open)
	return s, nil
}

type subscriber struct {
	backend *Backend
	group   string
	open    context.Context // ends with Close, and with the backend
	shut    context.CancelFunc
	active  sync.WaitGroup

	mu     sync.Mutex
	closed bool // no more is added to active
}

var errNacked = errors.New("nacked")

// renack is the pause before a nacked message comes again.
func renack(attempt int, _ error) time.Duration {
	return min(time.Millisecond<<min(attempt-1, 5), 20*time.Millisecond)
}

func (s *subscriber) SubscribeInitialize(topic string) error {
	return s.backend.Fix(s.open, topic, s.group, backend.FromOldest())
}

// Subscribe waits until the group has a position, so that nothing is missed
// that is published after it.
func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	fail := func(err error) (<-chan *message.Message, error) {
		return nil, fmt.Errorf("kafka: subscribe %s to %s: %w", s.group, topic, err)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fail(fmt.Errorf("the subscriber is %w", backend.ErrClosed))
	}
	s.active.Add(1)
	s.mu.Unlock()
	if err := s.backend.Fix(ctx, topic, s.group, backend.FromOldest()); err != nil {
		s.active.Done()
		return fail(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.open, cancel)
	out := make(chan *message.Message)
	go func() {
		defer s.active.Done()
		defer close(out)
		defer cancel()
		defer stop()
		s.consume(ctx, topic, out)
	}()
	return out, nil
}

// consume consumes until ctx ends, however often that fails.
func (s *subscriber) consume(ctx context.Context, topic string, out chan<- *message.Message) {
	c := backend.Consumption{
		Topic: topic, Group: s.group, MaxBatch: 1, Backoff: renack,
		Handle: func(_ context.Context, b *backend.Batch) (int, error) { return deliver(ctx, out, b) },
	}
	for pause := 100 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		err := s.backend.Consume(ctx, c)
		if ctx.Err() != nil || errors.Is(err, backend.ErrClosed) {
			return
		}
		s.backend.config.Logger.Error("kafka: a subscription stopped, and is tried again", "topic", topic, "group", s.group, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// deliver sends the batch's message and waits for its fate. It counts as not
// finished when ctx ends before.
func deliver(ctx context.Context, out chan<- *message.Message, b *backend.Batch) (done int, err error) {
	if !b.Next() {
		return 0, nil
	}
	m := b.Message().Copy()
	ctx, cancel := context.WithCancel(&within{Context: ctx, message: b.Message().Context()})
	defer cancel()
	m.SetContext(ctx)
	select {
	case out <- m:
	case <-ctx.Done():
		return 0, nil
	}
	select {
	case <-m.Acked():
		return 1, nil
	case <-m.Nacked():
		return 0, errNacked
	case <-ctx.Done():
	}
	select {
	case <-m.Acked(): // just before
		return 1, nil
	default:
		return 0, nil
	}
}

// within is a subscription's context with the values of a message's too.
type within struct {
	context.Context
	message context.Context
}

func (w *within) Value(key any) any {
	if _, ok := key.(placeKey); ok {
		return w.message.Value(key)
	}
	return w.Context.Value(key)
}

// Close closes the channels, once the messages that they have are acknowledged
// or given back.
func (s *subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.shut()
	s.active.Wait()
	return nil
}
