package postgres

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
// is a member of the group, and has one unacknowledged message at a time;
// messages of one key (and those without any) are delivered one after the other
// over all of the group's channels and processes. A message that was nacked
// comes again before others of its key, after a pause of up to 20 ms. The handle
// implements [message.SubscribeInitializer]: it fixes the group's position at
// the oldest message.
func (b *Backend) Subscriber(group string) (message.Subscriber, error) {
	err := checkName("group", group)
	if err == nil {
		if err = b.begin(); err == nil {
			b.consuming.Done()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: subscriber: %w", err)
	}
	return &subscriber{backend: b, group: group, done: make(chan struct{})}, nil
}

type subscriber struct {
	backend *Backend
	group   string
	done    chan struct{} // closed by Close
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
	if err := s.enter(); err != nil {
		return fmt.Errorf("postgres: initialize %s for %s: %w", topic, s.group, err)
	}
	defer s.leave()
	return s.backend.Fix(context.Background(), topic, s.group, backend.FromOldest())
}

func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	err := checkName("topic", topic)
	if err == nil {
		err = s.enter()
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: subscribe %s to %s: %w", s.group, topic, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan *message.Message)
	go func() {
		defer s.leave()
		defer close(out)
		defer cancel()
		go func() { // ends with ctx, at the latest after consume
			select {
			case <-s.done:
			case <-s.backend.done:
			case <-ctx.Done():
			}
			cancel()
		}()
		c := backend.Consumption{
			Topic: topic, Group: s.group, Concurrency: 1, MaxBatch: 1, Backoff: renack,
			Handle: func(_ context.Context, b *backend.Batch) (int, error) { return deliver(ctx, out, b) },
		}
		if c.Complete() == nil {
			s.backend.consume(ctx, c)
		}
	}()
	return out, nil
}

// deliver sends the batch's message and waits for its fate. It counts as not
// finished when ctx ends before.
func deliver(ctx context.Context, out chan<- *message.Message, b *backend.Batch) (done int, err error) {
	if !b.Next() {
		return 0, nil
	}
	m := b.Message().Copy() // it may come again, and has to be acknowledged then
	ctx, cancel := context.WithCancel(ctx)
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

func (s *subscriber) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.mu.Unlock()
	s.active.Wait()
	return nil
}

// enter registers work that Close, and the backend's, wait for until leave.
func (s *subscriber) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("the subscriber is %w", backend.ErrClosed)
	}
	if err := s.backend.begin(); err != nil {
		return err
	}
	s.active.Add(1)
	return nil
}

func (s *subscriber) leave() {
	s.active.Done()
	s.backend.consuming.Done()
}
