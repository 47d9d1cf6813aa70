package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/subscription"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A backend's Subscriber method returns what New does.
func Example() {
	b := memory.New()
	sub := subscription.New(context.Background(), b, "printer", nil)
	channel, err := sub.Subscribe(context.Background(), "orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	pub, err := b.Publisher()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := pub.Publish("orders", message.NewMessage("1", []byte("shipped"))); err != nil {
		fmt.Println(err)
	}
	m := <-channel
	fmt.Println(m.UUID, string(m.Payload))
	m.Ack()
	fmt.Println(sub.Close(), b.Close())
	// Output:
	// 1 shipped
	// <nil> <nil>
}

// ill is a backend whose consuming fails at first.
type ill struct {
	*memory.Backend
	fails atomic.Int64
}

func (b *ill) Consume(ctx context.Context, c backend.Consumption) error {
	if b.fails.Add(-1) >= 0 {
		return errors.New("ill")
	}
	return b.Backend.Consume(ctx, c)
}

func TestASubscriptionOutlivesFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &ill{Backend: memory.New()}
		b.fails.Store(5)
		sub := subscription.New(t.Context(), b, "g", slog.New(slog.DiscardHandler))
		channel, err := sub.Subscribe(t.Context(), "t")
		require.NoError(t, err)
		pub, err := b.Publisher()
		require.NoError(t, err)
		require.NoError(t, pub.Publish("t", message.NewMessage("1", nil)))
		(<-channel).Ack()
		require.NoError(t, sub.Close())
		_, open := <-channel
		require.False(t, open)
		_, err = sub.Subscribe(t.Context(), "t")
		require.ErrorIs(t, err, backend.ErrClosed)
		require.ErrorIs(t, sub.SubscribeInitialize("t"), backend.ErrClosed)
		require.NoError(t, b.Close())
	})
}

type originKey struct{}

// The context of a message ends with the subscription, and has the values that
// the backend gave it.
func TestTheContextOfAMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := memory.New()
		open, shut := context.WithCancel(context.Background())
		sub := subscription.New(open, of{b}, "g", nil)
		channel, err := sub.Subscribe(t.Context(), "t")
		require.NoError(t, err)
		pub, err := b.Publisher()
		require.NoError(t, err)
		require.NoError(t, pub.Publish("t", message.NewMessage("1", nil)))
		m := <-channel
		require.Equal(t, "here", m.Context().Value(originKey{}))
		shut()
		<-m.Context().Done()
		_, more := <-channel
		require.False(t, more, "nothing is handed out any more")
		require.NoError(t, sub.Close())
		require.NoError(t, b.Close())
	})
}

// of gives each message a context of its own.
type of struct{ *memory.Backend }

func (b of) Consume(ctx context.Context, c backend.Consumption) error {
	handle := c.Handle
	c.Handle = func(ctx context.Context, batch *backend.Batch) (int, error) {
		if !batch.Next() {
			return 0, nil
		}
		m := batch.Message().Copy()
		m.SetContext(context.WithValue(context.Background(), originKey{}, "here"))
		return handle(ctx, backend.NewBatch(batch.Attempt, m))
	}
	return b.Backend.Consume(ctx, c)
}

// A backend's Close ends the handles that it gave out, and their channels.
func TestASetClosesItsHandles(t *testing.T) {
	t.Parallel()
	b := memory.New()
	var set subscription.Set
	var channels []<-chan *message.Message
	for range 50 {
		sub := set.New(context.Background(), b, "g", nil)
		channel, err := sub.Subscribe(t.Context(), "t")
		require.NoError(t, err)
		channels = append(channels, channel)
	}
	one := set.New(context.Background(), b, "g", nil)
	require.NoError(t, one.Close())
	set.Close()
	set.Close()
	for _, channel := range channels {
		select {
		case _, more := <-channel:
			require.False(t, more)
		default:
			t.Fatal("a channel is open")
		}
	}
	require.NoError(t, b.Close())
}
