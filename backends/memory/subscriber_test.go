package memory_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func subscribe(t *testing.T, b *memory.Backend, group string) (message.Subscriber, <-chan *message.Message) {
	t.Helper()
	sub, err := b.Subscriber(group)
	require.NoError(t, err)
	channel, err := sub.Subscribe(context.Background(), "t")
	require.NoError(t, err)
	return sub, channel
}

func TestSubscribersGetLocalMessagesInWireForm(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 7, 8)
		_, channel := subscribe(t, b, "g")
		m := <-channel
		require.Equal(t, "k/7", m.UUID)
		require.Equal(t, "7", string(m.Payload))
		_, isLocal := m.Context().(backend.Local)
		require.False(t, isLocal)
		require.True(t, m.Ack())
		<-m.Context().Done()
	})
}

// unsound is a local message that cannot be encoded the first time.
type unsound struct {
	event
	failed bool
}

func (u *unsound) Wire() (*message.Message, error) {
	if !u.failed {
		u.failed = true
		return nil, errors.New("unsound")
	}
	return u.event.Wire()
}

func TestSubscribersGetAMessageThatCouldNotBeEncodedLater(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		m := new(message.Message)
		m.SetContext(&unsound{event: event{Context: context.Background(), key: "k"}})
		require.NoError(t, publishLocal(b, "t", m, local("k", 1)))
		_, channel := subscribe(t, b, "g")
		for n := range 2 {
			got := <-channel
			require.Equal(t, "k/"+strconv.Itoa(n), got.UUID)
			got.Ack()
		}
	})
}

func TestNackedComesAgainFirst(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 0, 3)
		_, one := subscribe(t, b, "g")
		_, two := subscribe(t, b, "g")
		next := func() *message.Message {
			select {
			case m := <-one:
				return m
			case m := <-two:
				return m
			}
		}
		begun := time.Now()
		const nacks = 300
		for range nacks {
			m := next()
			require.Equal(t, "k/0", m.UUID)
			require.True(t, m.Nack())
		}
		require.Less(t, time.Since(begun), nacks*20*time.Millisecond)
		require.Greater(t, time.Since(begun), nacks*10*time.Millisecond, "not at once for ever")
		for n := range 3 {
			m := next()
			require.Equal(t, "k/"+strconv.Itoa(n), m.UUID)
			synctest.Wait()
			select {
			case <-one:
				t.Fatal("a second message while one is not acknowledged")
			case <-two:
				t.Fatal("a second message of the key while one is not acknowledged")
			default:
			}
			m.Ack()
		}
	})
}

func TestChannelsOfAGroupShareKeys(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		for i := range 2 {
			publish(t, b, "t", strconv.Itoa(i), 0, 1)
		}
		_, one := subscribe(t, b, "g")
		_, two := subscribe(t, b, "g")
		a, z := <-one, <-two
		require.NotEqual(t, a.UUID, z.UUID)
	})
}

func TestClosingTheHandleReturnsWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		publish(t, b, "t", "k", 0, 5)
		sub, channel := subscribe(t, b, "g")
		(<-channel).Ack()
		unfinished := <-channel
		require.NoError(t, sub.Close())
		require.NoError(t, sub.Close(), "closing twice")
		require.Error(t, unfinished.Context().Err())
		_, open := <-channel
		require.False(t, open)
		_, err := sub.Subscribe(context.Background(), "t")
		require.ErrorIs(t, err, backend.ErrClosed)
		require.ErrorIs(t, sub.(message.SubscribeInitializer).SubscribeInitialize("t"), backend.ErrClosed)

		_, channel = subscribe(t, b, "g")
		for n := 1; n < 5; n++ {
			m := <-channel
			require.Equal(t, "k/"+strconv.Itoa(n), m.UUID)
			m.Ack()
		}
	})
}

func TestWhatWasAckedBeforeTheCloseDoesNotComeAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		const n = 50
		publish(t, b, "t", "k", 0, n)
		for i := range n {
			sub, channel := subscribe(t, b, "g")
			m := <-channel
			require.Equal(t, "k/"+strconv.Itoa(i), m.UUID)
			m.Ack()
			require.NoError(t, sub.Close())
		}
	})
}

func TestSubscribeNeedsATopicAndAGroup(t *testing.T) {
	t.Parallel()
	b := memory.New()
	defer b.Close()
	_, err := b.Subscriber("")
	require.ErrorContains(t, err, "group is empty")
	sub, err := b.Subscriber("g")
	require.NoError(t, err)
	_, err = sub.Subscribe(t.Context(), "")
	require.ErrorContains(t, err, "topic is empty")
}

func TestPublishTakesACopy(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		pub, err := b.Publisher()
		require.NoError(t, err)
		m := message.NewMessage("1", []byte("payload"))
		m.Metadata.Set("key", "value")
		require.NoError(t, pub.Publish("t", m))
		m.Metadata.Set("key", "changed")
		m.UUID = "changed"
		_, channel := subscribe(t, b, "g")
		got := <-channel
		require.Equal(t, "1", got.UUID)
		require.Equal(t, "value", got.Metadata.Get("key"))
		got.Metadata.Set("key", "changed by a subscriber")
		got.Ack()
		_, channel = subscribe(t, b, "other")
		require.Equal(t, "value", (<-channel).Metadata.Get("key"))

		require.ErrorContains(t, pub.Publish("t", nil), "message 0 is nil")
		require.NoError(t, pub.Close())
		require.NoError(t, pub.Close())
		require.ErrorIs(t, pub.Publish("t", m), backend.ErrClosed)
	})
}

func TestSubscribeInitializeFixesThePosition(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		sub, err := b.Subscriber("g")
		require.NoError(t, err)
		require.NoError(t, sub.(message.SubscribeInitializer).SubscribeInitialize("t"))
		require.NoError(t, sub.Close())
		publish(t, b, "t", "k", 0, 500)
		lag, err := b.Lag(t.Context(), "t", "g")
		require.NoError(t, err)
		require.EqualValues(t, 500, lag)
	}, func(c *memory.Config) { c.Retention = 1000 })
}
