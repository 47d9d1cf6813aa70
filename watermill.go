package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// FromWatermill makes a Backend of a Watermill Pub/Sub: of its publisher, and
// of a subscriber for each consumer group. sub is called once for a group, when
// the group is first used; it may return one and the same subscriber for all of
// them where the Pub/Sub delivers every message to every subscription, as
// gochannel does. The Backend owns what it was given: its Close closes pub and
// every subscriber, each once.
//
// Such a Backend has no records, delays or positions. [Config.Records] and
// [Config.AddressKey] are therefore required, and what is to happen later comes
// back through the records, at its time, as long as a Notifier runs that routes.
//
// Observers and the pipeline run on Watermill's Router, and get what the Pub/Sub
// gives: whether messages survive a restart, whether several processes share a
// group's, and in which order they come. Messages of one key are handled one at a
// time within a process, in the order in which they are delivered. A message that
// fails is held unacknowledged until its last try. If the Pub/Sub has an
// acknowledgement deadline, make it longer than that, or the message comes
// twice; if it delivers one message at a time to a subscription, the others wait
// too. Attempts are counted as long as the process holds the
// message.
//
// On gochannel, members of a group do not share messages: each gets them all. A
// message that is published while nobody is subscribed, or held when Run ends, is
// lost: call Send after Ready. It keeps no order. Leave its
// BlockPublishUntilSubscriberAck off, because a step that publishes would wait
// for itself.
func FromWatermill(pub message.Publisher, sub func(group string) (message.Subscriber, error)) Backend {
	return &watermillBackend{pub: pub, sub: sub, groups: map[string]message.Subscriber{}}
}

// watermillBackend is a Pub/Sub as a Backend.
type watermillBackend struct {
	pub message.Publisher
	sub func(group string) (message.Subscriber, error)

	mu     sync.Mutex // guards the following
	closed bool
	groups map[string]message.Subscriber
}

var _ backend.Consumer = (*watermillBackend)(nil)

// consumerOf returns how the backend is consumed: by itself, or on Watermill's
// Router.
func consumerOf(b Backend, log *slog.Logger) backend.Consumer {
	if _, plain := b.(*watermillBackend); !plain {
		if own, ok := b.(backend.Consumer); ok {
			return own
		}
	}
	return newRouterConsumer(b, log)
}

// Consume implements [backend.Consumer], for those who use the Backend without
// a Notifier, such as a conformance suite.
func (b *watermillBackend) Consume(ctx context.Context, c backend.Consumption) error {
	return newRouterConsumer(b, slog.Default()).Consume(ctx, c)
}

// Publisher implements [backend.Backend].
func (b *watermillBackend) Publisher() (message.Publisher, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, fmt.Errorf("notify: FromWatermill: publisher: %w", backend.ErrClosed)
	case isNil(b.pub):
		return nil, errors.New("notify: FromWatermill: pub is nil")
	}
	return &watermillPublisher{backend: b}, nil
}

// Subscriber implements [backend.Backend].
func (b *watermillBackend) Subscriber(group string) (message.Subscriber, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return nil, fmt.Errorf("notify: FromWatermill: subscriber: %w", backend.ErrClosed)
	case group == "":
		return nil, errors.New("notify: FromWatermill: subscriber: the group is empty")
	case b.sub == nil:
		return nil, errors.New("notify: FromWatermill: sub is nil")
	}
	s, ok := b.groups[group]
	if !ok {
		var err error
		if s, err = b.sub(group); err != nil {
			return nil, fmt.Errorf("notify: FromWatermill: sub(%q): %w", group, err)
		}
		if isNil(s) {
			return nil, fmt.Errorf("notify: FromWatermill: sub(%q) returned nil", group)
		}
		b.groups[group] = s
	}
	return newWatermillSubscriber(b, s), nil
}

// Close implements [backend.Backend].
func (b *watermillBackend) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	all := []interface{ Close() error }{}
	add := func(c interface{ Close() error }) {
		if !isNil(c) && !slices.ContainsFunc(all, func(known interface{ Close() error }) bool { return same(known, c) }) {
			all = append(all, c)
		}
	}
	for _, s := range b.groups {
		add(s)
	}
	add(b.pub)
	b.mu.Unlock()
	var errs []error
	for _, c := range all {
		if err := c.Close(); err != nil {
			errs = append(errs, fmt.Errorf("notify: close the Pub/Sub: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (b *watermillBackend) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// same tells whether two values are one, also those that == panics on.
func same(a, b any) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}
