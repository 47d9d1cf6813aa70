package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

func TestTail(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config())
	l := newLedger()
	l.publish(t, b, "t", 3, keys(20)...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []string
	for m, err := range b.Tail(ctx, "t", "key-7", time.Time{}) {
		require.NoError(t, err)
		require.Equal(t, "key-7", backend.Key(m))
		if seen = append(seen, string(m.Payload)); len(seen) == 3 {
			l.publish(t, b, "t", 1, keys(20)...) // it goes on with what comes
		}
		if len(seen) == 4 {
			cancel() // which is no error
		}
	}
	require.Equal(t, []string{"0", "1", "2", "3"}, seen)

	time.Sleep(5 * time.Millisecond) // records have milliseconds
	since := time.Now()
	l.publish(t, b, "t", 1, keys(20)...)
	for m, err := range b.Tail(t.Context(), "t", "key-7", since) {
		require.NoError(t, err)
		require.Equal(t, "4", string(m.Payload))
		break
	}
}

// What is published while a tail begins, or a group is fixed, comes, though there
// was nothing as new when the cluster was asked where that begins.
func TestNothingIsMissedWhileItBegins(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("needs to hold up requests")
	}
	fake := newFake(t)
	common := config(func(c *kafka.Config) { c.Partitions = 1 })
	b := open(t, fake.ListenAddrs(), common)
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", wire("k", 0)))
	begin := func(begins func(since time.Time)) {
		t.Helper()
		time.Sleep(5 * time.Millisecond) // records have milliseconds
		asked, done := false, false
		fake.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			asking := r.(*kmsg.ListOffsetsRequest).Topics[0].Partitions[0].Timestamp
			if asked = asked || asking >= 0; asked && asking == -1 && !done {
				done = true
				fake.SleepControl(func() { require.NoError(t, pub.Publish("t", wire("k", 1))) })
			}
			return nil, nil, false
		})
		begins(time.Now())
	}
	begin(func(since time.Time) {
		for m, err := range b.Tail(t.Context(), "t", "k", since) {
			require.NoError(t, err)
			require.Equal(t, "1", string(m.Payload))
			break
		}
	})
	begin(func(since time.Time) {
		require.NoError(t, b.Fix(t.Context(), "t", "receiver", backend.FromTime(since)))
		require.Len(t, receive(t, b, "t", 1), 1)
	})
}

func TestTailEndsWithTheBackend(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config())
	l := newLedger()
	l.publish(t, b, "t", 1, "k")
	closed := make(chan struct{})
	var last error
	for m, err := range b.Tail(t.Context(), "t", "k", time.Time{}) {
		if last = err; m != nil {
			go func() {
				defer close(closed)
				_ = b.Close()
			}()
		}
	}
	require.ErrorIs(t, last, backend.ErrClosed)
	<-closed
	for _, err := range b.Tail(t.Context(), "t", "k", time.Time{}) {
		require.ErrorIs(t, err, backend.ErrClosed)
	}
}
