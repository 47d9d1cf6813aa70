package memory

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/presence"
	"github.com/seed-6c01d079/notify/backend/subscription"
	"github.com/seed-6c01d079/notify/internal/fanout"
)

var (
	_ backend.Backend          = (*Backend)(nil)
	_ backend.Consumer         = (*Backend)(nil)
	_ backend.Positioner       = (*Backend)(nil)
	_ backend.DelayedPublisher = (*Backend)(nil)
	_ backend.Records          = (*Backend)(nil)
	_ backend.Presence         = (*Backend)(nil)
	_ backend.Atomic           = (*Backend)(nil)
	_ backend.DeadLetters      = (*Backend)(nil)
	_ backend.Admitter         = (*Backend)(nil)
	_ backend.LocalPublisher   = (*Backend)(nil)
	_ backend.Records          = (*Records)(nil)
	_ backend.DeadLetters      = (*Records)(nil)
	_ backend.Presence         = (*Records)(nil)
)

// Backend is the backend in memory. It implements every interface of package
// backend but [backend.Tailer] and [backend.Transactor]; all methods are safe for concurrent use,
// and those that fail because it is closed return an error that wraps
// backend.ErrClosed.
//
// Topics and groups come into being when they are first named.
type Backend struct {
	*records

	config  Config
	fanout  fanout.Config
	delayed delayed
	secrets secrets
	// subscribers are the handles that are open.
	subscribers subscription.Set
	topics      atomic.Pointer[map[string]*fanout.Topic] // replaced under mu, never changed
	open        context.Context                          // ends with Close
	shut        context.CancelFunc
	active      sync.WaitGroup // calls of Consume

	mu     sync.Mutex
	closed atomic.Bool // set under mu; no more is added to active
}

// Embedded under names that are not exported.
type (
	records = Records
	present = presence.Set
)

// New returns a backend. It starts nothing; what runs later ends with Close.
func New(opts ...func(*Config)) *Backend {
	config := newConfig(opts)
	b := &Backend{
		config: config,
		fanout: fanout.Config{
			Retention: config.Retention, MaxWork: config.MaxWork,
			MaxParkedPerKey: config.MaxParkedPerKey, MaxParked: config.MaxParked,
		},
		records: newRecords(config),
	}
	b.open, b.shut = context.WithCancel(context.Background())
	b.topics.Store(&map[string]*fanout.Topic{})
	b.delayed.backend = b
	return b
}

// Close ends everything: calls of Consume return once their handlers have, the
// channels of subscribers are closed, timers stop. It waits for that, so it
// must not be called by a handler. Closing again does nothing but wait.
func (b *Backend) Close() error {
	b.mu.Lock()
	if b.closed.CompareAndSwap(false, true) {
		b.shut()
	}
	b.mu.Unlock()
	b.active.Wait()
	b.subscribers.Close()

	b.delayed.stop()
	b.records.close()
	b.letters.close()
	for _, t := range *b.topics.Swap(&map[string]*fanout.Topic{}) {
		t.Close()
	}
	return nil
}

// enter registers work that Close waits for; the caller ends it by
// b.active.Done.
func (b *Backend) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return backend.ErrClosed
	}
	b.active.Add(1)
	return nil
}

// topic returns the topic, new if it has to be.
func (b *Backend) topic(name string) *fanout.Topic {
	if t := (*b.topics.Load())[name]; t != nil {
		return t
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := *b.topics.Load()
	if t := old[name]; t != nil {
		return t
	}
	t := fanout.New(&b.fanout)
	next := maps.Clone(old)
	next[name] = t
	b.topics.Store(&next)
	return t
}

// PublishLocal implements [backend.LocalPublisher].
func (b *Backend) PublishLocal(now time.Time, topic string, value backend.Local) error {
	if value == nil {
		return fmt.Errorf("memory: publish to %s: the value is nil", topic)
	}
	return b.publish(now, topic, value)
}

// publish appends entries that are nobody else's to change.
func (b *Backend) publish(now time.Time, topic string, entries ...backend.Entry) error {
	switch {
	case b.closed.Load():
		return fmt.Errorf("memory: publish to %s: %w", topic, backend.ErrClosed)
	case topic == "":
		return fmt.Errorf("memory: publish: the topic is empty")
	case len(entries) > 0:
		b.topic(topic).Append(now, entries...)
	}
	return nil
}
