package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The client fails what waits for one partition together: whoever gives up must
// not have others' messages fail with his.
func TestWhoGivesUpFailsNobodyElse(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("needs to see what arrives at the broker")
	}
	fake, net := behind(t)
	b := open(t, net.addrs, config())
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", wire("k", 0)))
	arrived := make(chan struct{}, 10)
	fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		arrived <- struct{}{}
		return nil, nil, false
	})
	speak := net.mute()
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp, published := make(chan error, 1), make(chan error, 1)
	go func() { gaveUp <- b.PublishAt(ctx, time.Now(), "t", wire("k", 1)) }()
	<-arrived
	go func() { published <- pub.Publish("t", wire("k", 2)) }()
	<-arrived
	cancel()
	require.ErrorIs(t, <-gaveUp, context.Canceled)
	speak()
	require.NoError(t, <-published)
	require.Len(t, receive(t, b, "t", 3), 3)
}

// A call whose context has ended before writes nothing.
func TestPublishAtAfterTheEndOfItsContext(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config())
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, b.PublishAt(ctx, time.Now(), "t", wire("k", 0)))
	cancel()
	for range 10 {
		require.ErrorIs(t, b.PublishAt(ctx, time.Now(), "t", wire("k", 1)), context.Canceled)
	}
	require.NoError(t, b.PublishAt(t.Context(), time.Now(), "t", wire("k", 2)))
	got := receive(t, b, "t", 2)
	require.Len(t, got, 2)
	require.Equal(t, "2", string(got[1].Payload))
}
