package backend_test

import (
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

func messages(n int) []*message.Message {
	ms := make([]*message.Message, n)
	for i := range ms {
		ms[i] = message.NewMessage(strconv.Itoa(i), nil)
	}
	return ms
}

func TestBatchHandsOutEachMessageOnce(t *testing.T) {
	b := backend.NewBatch(1, messages(3)...)
	for i := range 3 {
		require.True(t, b.Next())
		require.Equal(t, strconv.Itoa(i), b.Message().UUID)
	}
	require.False(t, b.Next())
	require.False(t, b.Next())
	require.Equal(t, 3, b.Reclaim())
	require.Equal(t, 3, b.Reclaim(), "a second call says the same")
}

func TestBatchReclaimWhileHandling(t *testing.T) {
	for range 200 {
		const n = 64
		b := backend.NewBatch(1, messages(n)...)
		var handled, first int
		var wg sync.WaitGroup
		wg.Go(func() {
			for b.Next() {
				handled++
			}
		})
		wg.Go(func() { first = b.Reclaim() })
		wg.Wait()
		require.Equal(t, first, handled, "every message is either claimed or taken back")
		require.Equal(t, first, b.Reclaim())
	}
}

func TestBatchReset(t *testing.T) {
	b := backend.NewBatch(3, messages(2)...)
	require.Equal(t, 0, b.Reclaim())
	require.False(t, b.Next())
	b.Reset(1, []backend.Entry{backend.EntryOf(messages(1)[0])})
	require.Equal(t, 1, b.Len())
	require.True(t, b.Next())
	require.False(t, b.Next())
}
