package memory_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// event is a local message's context: the n-th of its key.
type event struct {
	context.Context
	key string
	n   int
}

func (e *event) Key() string { return e.key }

func (e *event) Wire() (*message.Message, error) {
	m := message.NewMessage(e.key+"/"+strconv.Itoa(e.n), []byte(strconv.Itoa(e.n)))
	m.Metadata.Set(backend.KeyMetadata, e.key)
	return m, nil
}

func local(key string, n int) *message.Message {
	m := new(message.Message)
	m.SetContext(&event{Context: context.Background(), key: key, n: n})
	return m
}

// publishLocal publishes what the messages stand for.
func publishLocal(b *memory.Backend, topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := b.PublishLocal(time.Now(), topic, m.Context().(backend.Local)); err != nil {
			return err
		}
	}
	return nil
}

func eventOf(m *message.Message) *event { return m.Context().(*event) }

// each makes a Handle of a function for one message.
func each(f func(e *event, attempt int) error) func(context.Context, *backend.Batch) (int, error) {
	return func(_ context.Context, b *backend.Batch) (done int, err error) {
		if b.Attempt > 1 && b.Len() > 1 {
			panic("a redelivered message must come alone")
		}
		for b.Next() {
			if err := f(eventOf(b.Message()), b.Attempt); err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	}
}

// consume consumes, from the oldest message, until the returned function is
// called, which waits.
func consume(t *testing.T, b *memory.Backend, c backend.Consumption) (leave func()) {
	t.Helper()
	require.NoError(t, b.Fix(t.Context(), c.Topic, c.Group, backend.FromOldest()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Consume(ctx, c) }()
	return sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
}

// bubble runs f in virtual time with a backend that is closed after it.
func bubble(t *testing.T, f func(t *testing.T, b *memory.Backend), opts ...func(*memory.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(opts...)
		defer func() { require.NoError(t, b.Close()) }()
		f(t, b)
	})
}

// publish publishes the n-th message of the key, for n in [from, to).
func publish(t *testing.T, b *memory.Backend, topic, key string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		require.NoError(t, publishLocal(b, topic, local(key, n)))
	}
}

// order checks what a group's handlers see: each key's messages one at a time,
// in order, and each until it is finished.
type order struct {
	mu       sync.Mutex
	next     map[string]int
	inFlight map[string]bool
	wrong    []string
}

func newOrder() *order {
	return &order{next: map[string]int{}, inFlight: map[string]bool{}}
}

// enter is called when a handler gets a message, and the result when it ends.
func (o *order) enter(e *event) (leave func(finished bool)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inFlight[e.key] {
		o.wrong = append(o.wrong, fmt.Sprintf("%s: two at a time", e.key))
	}
	if o.next[e.key] != e.n {
		o.wrong = append(o.wrong, fmt.Sprintf("%s: got %d, want %d", e.key, e.n, o.next[e.key]))
	}
	o.inFlight[e.key] = true
	return func(finished bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.inFlight[e.key] = false
		if finished {
			o.next[e.key]++
		}
	}
}
