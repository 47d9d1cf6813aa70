package notify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// subscription is one call of the router's Consume. To its Router it is the
// subscriber.
//
// Pub/Subs redeliver what is nacked at once and for ever, and do not count.
// So nothing is nacked before the end: a message that failed is held while it
// waits, and what comes of its key waits behind it.
type subscription struct {
	backend.Consumption
	feed  *feed
	out   chan *message.Message
	slots chan struct{}   // one for each message in Handle
	ctx   context.Context // of Handle

	stopping context.Context // Handle is not called any more
	stop     context.CancelFunc
	drained  chan struct{} // closed when nothing is in Handle any more

	mu   sync.Mutex
	last map[string]*keyTurn // the last message of each key in hand
}

// keyTurn is a message's place behind those of its key.
type keyTurn struct {
	key    string
	before <-chan struct{} // nil: nothing is before it
	over   chan struct{}   // closed when the message is finished
}

type turnKey struct{}

func newSubscription(ctx context.Context, c backend.Consumption, f *feed) *subscription {
	s := &subscription{
		Consumption: c, feed: f, ctx: context.WithoutCancel(ctx),
		out: make(chan *message.Message), slots: make(chan struct{}, c.Concurrency),
		drained: make(chan struct{}), last: map[string]*keyTurn{},
	}
	s.stopping, s.stop = context.WithCancel(ctx)
	return s
}

// run handles messages until ctx ends, or the subscription does.
func (s *subscription) run(ctx context.Context, log watermill.LoggerAdapter) error {
	defer s.stop()
	router, err := message.NewRouter(message.RouterConfig{}, log)
	if err != nil {
		return errors.Join(fmt.Errorf("notify: make a router: %w", err), s.feed.end())
	}
	handler := router.AddConsumerHandler(s.Group+" in "+s.Topic, s.Topic, s, s.handle)
	ran := make(chan error, 1)
	go func() { ran <- router.Run(s.stopping) }()

	<-s.stopping.Done()
	closedByItself := ctx.Err() == nil
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	ended := s.feed.end()
	close(s.drained)
	err = <-ran
	<-handler.Stopped()
	switch {
	case err != nil:
		return fmt.Errorf("notify: consume %s as %s: %w", s.Topic, s.Group, err)
	case closedByItself:
		return fmt.Errorf("notify: consume %s as %s: the subscription was closed by the Pub/Sub", s.Topic, s.Group)
	}
	return ended
}

// Subscribe implements [message.Subscriber] for the Router.
func (s *subscription) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	go func() {
		defer close(s.out) // a Router whose channel is closed does not wait long for its handlers
		for m := range s.feed.messages {
			m.SetContext(context.WithValue(m.Context(), turnKey{}, s.queue(m)))
			s.out <- m
		}
		s.stop()
		<-s.drained
	}()
	return s.out, nil
}

// Close implements [message.Subscriber] for the Router, which may call it or
// not: run ends the subscription.
func (s *subscription) Close() error { return nil }

// queue gives a message its turn. It is called in the order of delivery; the
// Router then starts a goroutine for each message.
func (s *subscription) queue(m *message.Message) *keyTurn {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &keyTurn{key: backend.Key(m), over: make(chan struct{})}
	if last := s.last[t.key]; last != nil {
		t.before = last.over
	}
	s.last[t.key] = t
	return t
}

func (s *subscription) leave(t *keyTurn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(t.over)
	if s.last[t.key] == t {
		delete(s.last, t.key)
	}
}

// handle has a message handled until it is finished, or the subscription ends.
func (s *subscription) handle(m *message.Message) error {
	t := m.Context().Value(turnKey{}).(*keyTurn)
	defer s.leave(t)
	if t.before != nil && !await(s, t.before) {
		return errEnded
	}
	for attempt := 1; ; {
		finished, err := s.once(m, attempt)
		switch {
		case finished:
			return nil
		case s.stopping.Err() != nil:
			<-s.drained
			return errEnded
		case err != nil:
			pause := time.NewTimer(s.Backoff(attempt, err))
			if !await(s, pause.C) {
				pause.Stop()
				return errEnded
			}
			attempt++
		}
	}
}

// once delivers the message, unless the subscription ends before.
func (s *subscription) once(m *message.Message, attempt int) (finished bool, err error) {
	select {
	case s.slots <- struct{}{}:
	case <-s.stopping.Done():
		return false, nil
	}
	defer func() { <-s.slots }()
	if s.stopping.Err() != nil {
		return false, nil
	}
	done, err := s.call(backend.NewBatch(attempt, m))
	if done > 0 {
		m.Ack() // while the slot is taken, so that the subscription is still there
	}
	return done > 0, err
}

// call calls Handle where a handler that ends its goroutine, as t.FailNow does,
// cannot end the Router's.
func (s *subscription) call(b *backend.Batch) (done int, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { done, err = b.Exited() }()
		b.Exit(s.Handle(s.ctx, b))
	}()
	<-ended
	return done, err
}

// errEnded has the Router nack the message, and say nothing.
var errEnded = fmt.Errorf("the subscription ended: %w", context.Canceled)

// await waits for a signal. It returns false when the subscription ends before,
// and after it has: a message that is nacked before comes again at once.
func await[T any](s *subscription, signal <-chan T) bool {
	select {
	case <-signal:
		return true
	case <-s.stopping.Done():
		<-s.drained
		return false
	}
}
