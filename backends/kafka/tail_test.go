package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
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
