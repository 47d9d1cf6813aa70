package kafka_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6c01d079/notify/backends/kafka"
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

// The messages of a call go out together.
func TestACallIsOneRequestToABroker(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("needs to see what arrives at the broker")
	}
	const calls = 50
	fake, common := newFake(t, kfake.NumBrokers(1)), config(func(c *kafka.Config) { c.Replication = 1 })
	b := open(t, fake.ListenAddrs(), common)
	all := wires(0, 1000)
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", all...))
	var requests atomic.Int64
	fake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		requests.Add(1)
		return nil, nil, false
	})
	for range calls {
		require.NoError(t, pub.Publish("t", all...))
	}
	// On a busy machine a linger may end before the call has said everything.
	require.Less(t, requests.Load(), int64(calls*5/4))
}
