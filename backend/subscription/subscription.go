// Package subscription makes Watermill's subscriber of a backend that consumes by
// itself: the handle that [backend.Backend.Subscriber] returns.
package subscription

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Source is a backend that consumes by itself, and whose groups have positions.
type Source interface {
	backend.Consumer
	backend.Positioner
}

// Subscriber is a consumer group's handle. Each channel that Subscribe returns is
// a member of the group, and has one unacknowledged message at a time; messages
// of one key (and those without any) are delivered one after the other over all
// of the group's channels. A message that was nacked comes again before others of
// its key, after a pause of up to 20 ms. Its methods are safe for concurrent use.
type Subscriber struct {
	source Source
	group  string
	log    *slog.Logger
	open   context.Context // ends with Close, and with the backend
	shut   context.CancelFunc
	active sync.WaitGroup
	// closing, if set, is called by Close.
	closing func()

	mu     sync.Mutex
	closed bool // no more is added to active
}

var (
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// New returns the group's handle. It ends with open, which the backend ends
// before it waits for its calls of Consume. A nil log is slog.Default().
func New(open context.Context, source Source, group string, log *slog.Logger) *Subscriber {
	if log == nil {
		log = slog.Default()
	}
	s := &Subscriber{source: source, group: group, log: log}
	s.open, s.shut = context.WithCancel(open)
	return s
}

// SubscribeInitialize implements [message.SubscribeInitializer]: it fixes the
// group's position at the oldest message, if it has none.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	leave, err := s.enter()
	if err != nil {
		return fmt.Errorf("initialize %s for %s: %w", topic, s.group, err)
	}
	defer leave()
	return s.source.Fix(s.open, topic, s.group, backend.FromOldest())
}

// Subscribe implements [message.Subscriber]. It fixes the group's position as
// SubscribeInitialize does, so that nothing is missed that is published after it.
// The channel is closed when ctx, the handle or the backend ends; a consumption
// that fails goes on by itself.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic == "" {
		return nil, fmt.Errorf("subscribe %s: the topic is empty", s.group)
	}
	leave, err := s.enter()
	if err != nil {
		return nil, fmt.Errorf("subscribe %s to %s: %w", s.group, topic, err)
	}
	if err := s.source.Fix(ctx, topic, s.group, backend.FromOldest()); err != nil {
		leave()
		return nil, fmt.Errorf("subscribe %s to %s: %w", s.group, topic, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.open, cancel)
	out := make(chan *message.Message)
	go func() {
		defer leave()
		defer close(out)
		defer cancel()
		defer stop()
		s.consume(ctx, topic, out)
	}()
	return out, nil
}

// consume consumes until ctx or the backend ends, however often that fails.
func (s *Subscriber) consume(ctx context.Context, topic string, out chan<- *message.Message) {
	c := backend.Consumption{
		Topic: topic, Group: s.group, Concurrency: 1, MaxBatch: 1, Backoff: renack,
		Handle: func(_ context.Context, b *backend.Batch) (int, error) { return deliver(ctx, out, b) },
	}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := s.source.Consume(ctx, c)
		if ctx.Err() != nil || err == nil || errors.Is(err, backend.ErrClosed) {
			return
		}
		s.log.Error("notify: a subscription stopped, and is tried again", "topic", topic, "group", s.group, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Close implements [message.Subscriber]: it closes the channels, once what they
// have is acknowledged or given back. It leaves the backend open.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.shut()
	s.active.Wait()
	if s.closing != nil {
		s.closing()
	}
	return nil
}

// enter registers work that Close waits for until leave.
func (s *Subscriber) enter() (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.open.Err() != nil {
		return nil, fmt.Errorf("the subscriber is %w", backend.ErrClosed)
	}
	s.active.Add(1)
	return s.active.Done, nil
}
