package notify_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
)

// script is a Pub/Sub that delivers what a test sends, several at a time, and
// counts what is closed.
type script struct {
	messages  chan *message.Message
	subscribe error
	left      func() // called when a subscription's context has ended

	mu     sync.Mutex
	topics []string
	closed int
	open   sync.WaitGroup
}

func (s *script) Publish(string, ...*message.Message) error { return nil }

func (s *script) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subscribe != nil {
		return nil, s.subscribe
	}
	s.topics = append(s.topics, topic)
	out := make(chan *message.Message)
	s.open.Go(func() {
		defer close(out)
		for {
			select {
			case m, ok := <-s.messages:
				if !ok {
					return
				}
				select {
				case out <- m:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				if s.left != nil {
					s.left()
				}
				return
			}
		}
	})
	return out, nil
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *script) backend() notify.Backend {
	return notify.FromWatermill(s, func(string) (message.Subscriber, error) { return s, nil })
}

// deliver sends a message and returns it.
func (s *script) deliver(key string, n int) *message.Message {
	m := message.NewMessage(key+"/"+strconv.Itoa(n), nil)
	m.Metadata.Set(backend.KeyMetadata, key)
	s.messages <- m
	return m
}

func acked(m *message.Message) bool  { return is(m.Acked()) }
func nacked(m *message.Message) bool { return is(m.Nacked()) }

func is(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// consumeScript consumes the script in virtual time, and waits for its end.
func consumeScript(t *testing.T, c backend.Consumption, f func(t *testing.T, s *script, end func() error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{messages: make(chan *message.Message)}
		b := s.backend()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		c.Topic, c.Group = "t", "g"
		go func() { ended <- b.(backend.Consumer).Consume(ctx, c) }()
		defer func() {
			cancel()
			require.NoError(t, b.Close())
			s.open.Wait()
		}()
		f(t, s, sync.OnceValue(func() error {
			cancel()
			return <-ended
		}))
	})
}

// The Router starts a goroutine for each message: their order is kept anyway.
func TestRouterConsumerKeepsTheOrderOfDelivery(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	most, now := 0, 0
	consumeScript(t, backend.Consumption{
		Concurrency: 2,
		Handle: func(_ context.Context, b *backend.Batch) (int, error) {
			b.Next()
			mu.Lock()
			now++
			most = max(most, now)
			got = append(got, b.Message().UUID)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return 1, nil
		},
	}, func(t *testing.T, s *script, end func() error) {
		const n = 50
		var all []*message.Message
		for i := range n {
			for _, key := range []string{"a", "b", "c"} {
				all = append(all, s.deliver(key, i))
			}
		}
		time.Sleep(3 * time.Minute)
		for _, m := range all {
			require.True(t, acked(m))
		}
		next := map[string]int{}
		for _, id := range got {
			key := id[:1]
			require.Equal(t, key+"/"+strconv.Itoa(next[key]), id)
			next[key]++
		}
		require.Equal(t, map[string]int{"a": n, "b": n, "c": n}, next)
		require.Equal(t, 2, most)
		require.NoError(t, end())
	})
}

func TestRouterConsumerHoldsWhatFailed(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	var attempts []int
	consumeScript(t, backend.Consumption{
		Backoff: func(attempt int, err error) time.Duration {
			require.ErrorIs(t, err, failed)
			return time.Duration(attempt) * time.Hour
		},
		Handle: func(_ context.Context, b *backend.Batch) (int, error) {
			b.Next()
			if b.Message().UUID != "bad/0" {
				return 1, nil
			}
			attempts = append(attempts, b.Attempt)
			if b.Attempt < 3 {
				return 0, failed
			}
			return 1, nil
		},
	}, func(t *testing.T, s *script, end func() error) {
		bad, behind, other := s.deliver("bad", 0), s.deliver("bad", 1), s.deliver("good", 0)
		synctest.Wait()
		require.True(t, acked(other), "Concurrency is 1, but who waits does not count")
		require.False(t, acked(bad) || nacked(bad) || acked(behind) || nacked(behind))
		time.Sleep(3*time.Hour - 1)
		require.False(t, acked(bad))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.True(t, acked(bad) && acked(behind))
		require.Equal(t, []int{1, 2, 3}, attempts)
		require.NoError(t, end())
	})
}

func TestRouterConsumerFinishesAndReturnsTheRest(t *testing.T) {
	t.Parallel()
	canceled := false
	consumeScript(t, backend.Consumption{
		Backoff: func(int, error) time.Duration { return time.Hour },
		Handle: func(ctx context.Context, b *backend.Batch) (int, error) {
			b.Next()
			if b.Message().UUID == "bad/0" {
				return 0, errors.New("failed")
			}
			time.Sleep(time.Minute)
			canceled = ctx.Err() != nil
			return 1, nil
		},
	}, func(t *testing.T, s *script, end func() error) {
		bad, behind := s.deliver("bad", 0), s.deliver("bad", 1)
		synctest.Wait()
		working, waiting := s.deliver("good", 0), s.deliver("other", 0)
		synctest.Wait()
		inTime := false
		s.left = func() { inTime = acked(working) != acked(waiting) }
		begun := time.Now()
		ended := make(chan error)
		go func() { ended <- end() }()
		synctest.Wait()
		require.False(t, nacked(bad) || nacked(behind), "it would come again at once")
		require.NoError(t, <-ended)
		require.Equal(t, time.Minute, time.Since(begun), "it waits for what is in Handle, and for nothing else")
		require.False(t, canceled)
		// The first of good and other to get the only slot is finished.
		require.True(t, inTime, "it is acknowledged while the subscription is there")
		require.True(t, nacked(bad) && nacked(behind))
		require.True(t, nacked(working) != nacked(waiting))
	})
}

func TestRouterConsumerFailsIfTheSubscriptionEnds(t *testing.T) {
	t.Parallel()
	consumeScript(t, backend.Consumption{
		Backoff: func(int, error) time.Duration { return time.Hour },
		Handle:  func(context.Context, *backend.Batch) (int, error) { return 0, errors.New("failed") },
	}, func(t *testing.T, s *script, end func() error) {
		bad := s.deliver("bad", 0)
		synctest.Wait()
		close(s.messages)
		synctest.Wait()
		require.True(t, nacked(bad))
		require.ErrorContains(t, end(), "closed by the Pub/Sub")
	})
}

func TestFromWatermillReportsWhatTheSubscriberSays(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	s := &script{subscribe: refused}
	b := s.backend()
	handle := func(context.Context, *backend.Batch) (int, error) { return 0, nil }
	err := b.(backend.Consumer).Consume(t.Context(), backend.Consumption{Topic: "t", Group: "g", Handle: handle})
	require.ErrorIs(t, err, refused)
	require.NoError(t, b.Close())

	b = notify.FromWatermill(s, func(string) (message.Subscriber, error) { return nil, refused })
	_, err = b.Subscriber("g")
	require.ErrorIs(t, err, refused)
	_, err = b.Subscriber("")
	require.ErrorContains(t, err, "group is empty")
}

func TestFromWatermillWithNil(t *testing.T) {
	t.Parallel()
	b := notify.FromWatermill(nil, nil)
	_, err := b.Publisher()
	require.ErrorContains(t, err, "pub is nil")
	_, err = b.Subscriber("g")
	require.ErrorContains(t, err, "sub is nil")
	require.NoError(t, b.Close())
	b = notify.FromWatermill(nil, func(string) (message.Subscriber, error) { return nil, nil })
	_, err = b.Subscriber("g")
	require.ErrorContains(t, err, "returned nil")
}

func TestFromWatermillClosesEachOnce(t *testing.T) {
	t.Parallel()
	pub, shared, own := &script{}, &script{}, &script{}
	asked := map[string]int{}
	b := notify.FromWatermill(pub, func(group string) (message.Subscriber, error) {
		if asked[group]++; group == "own" {
			return own, nil
		}
		return shared, nil
	})
	for range 2 {
		for _, group := range []string{"one", "two", "own"} {
			sub, err := b.Subscriber(group)
			require.NoError(t, err)
			require.NoError(t, sub.Close())
			_, err = sub.Subscribe(t.Context(), "t")
			require.ErrorIs(t, err, backend.ErrClosed)
		}
	}
	require.Equal(t, map[string]int{"one": 1, "two": 1, "own": 1}, asked)
	handle, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, handle.Close())
	require.ErrorIs(t, handle.Publish("t"), backend.ErrClosed)
	require.Zero(t, pub.closed+shared.closed+own.closed, "handles close nothing")
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
	require.Equal(t, []int{1, 1, 1}, []int{pub.closed, shared.closed, own.closed})
}

// A Notifier that cannot subscribe says so, instead of losing events.
func TestReadyWaitsForSubscriptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{messages: make(chan *message.Message), subscribe: errors.New("refused")}
		n := newOn(t, s.backend())
		notify.On(n, "all", func(context.Context, notify.Event[any]) error { return nil })
		ran := make(chan error, 1)
		go func() { ran <- n.Run(t.Context()) }()
		require.ErrorContains(t, n.Ready(t.Context()), "refused")
		require.ErrorContains(t, <-ran, "refused")
		require.Equal(t, 1, s.closed)
	})
}
