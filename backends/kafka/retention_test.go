package kafka_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// A group that fell behind what the topic keeps is told so, at its start and
// while it runs. So much of the topic as was read ahead by then is not missed.
func TestFallingBehindRetention(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("records of a real cluster are not deleted")
	}
	fake := newFake(t)
	common := config(func(c *kafka.Config) { c.Partitions, c.MaxAhead = 1, 50 })
	topic := prefixOf(common) + "t"
	b := open(t, fake.ListenAddrs(), common)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	pub, err := b.Publisher()
	require.NoError(t, err)
	all := wires(0, 400)
	for i, m := range all {
		m.Payload = make([]byte, 20_000)
		_, _ = rand.Read(m.Payload) // which compresses to nothing less
		require.NoError(t, pub.Publish("t", all[i]))
	}
	require.NoError(t, fake.DeleteRecords(topic, 0, 30))

	type span struct{ from, to int64 }
	var mu sync.Mutex
	var skips []span
	gate := make(chan struct{})
	var seen []int64
	consume(t, b, backend.Consumption{
		Topic: "t", Group: "g",
		Handle: func(_ context.Context, b *backend.Batch) (done int, _ error) {
			for b.Next() {
				place, ok := kafka.PlaceOf(b.Message().Context())
				if !ok || place.Topic != topic {
					return done, errors.New("no place")
				}
				mu.Lock()
				seen = append(seen, place.Offset)
				mu.Unlock()
				<-gate
				done++
			}
			return done, nil
		},
		Skipped: func(from, to int64) {
			mu.Lock()
			defer mu.Unlock()
			skips = append(skips, span{from, to})
		},
	}, func(err error) { t.Error(err) })
	eventually(t, "a handler is at work", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == 1
	})
	time.Sleep(300 * time.Millisecond) // for as much to be read ahead as may be
	require.NoError(t, fake.DeleteRecords(topic, 0, 390))
	close(gate)
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, skips, 2)
	require.Equal(t, span{0, 30}, skips[0])
	ahead := skips[1].from - 30
	require.Equal(t, int64(390), skips[1].to)
	require.GreaterOrEqual(t, ahead, int64(50))
	require.LessOrEqual(t, ahead, int64(100+60), "twice MaxAhead, and what the client has of a megabyte")
	require.Len(t, seen, int(ahead)+10)
	require.Equal(t, int64(30), seen[0])
	require.Equal(t, int64(399), seen[len(seen)-1])
}

// When the topic loses the first of what waits while its member begins, the rest
// of that is not lost.
func TestFallingBehindWithMessagesThatWait(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("records of a real cluster are not deleted")
	}
	fake := newFake(t)
	common := config(func(c *kafka.Config) { c.Partitions = 1 })
	b := open(t, fake.ListenAddrs(), common)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", wires(0, 60)...))

	var mu sync.Mutex
	healed, handled := false, map[string]bool{}
	var skipped [][2]int64
	c := backend.Consumption{
		Topic: "t", Group: "g", Backoff: func(int, error) time.Duration { return 10 * time.Millisecond },
		Handle: func(_ context.Context, batch *backend.Batch) (done int, _ error) {
			for batch.Next() {
				n := string(batch.Message().Payload)
				mu.Lock()
				fails := !healed && (n == "0" || n == "30")
				handled[n] = !fails
				mu.Unlock()
				if fails {
					return done, errors.New("not yet")
				}
				done++
			}
			return done, nil
		},
		Skipped: func(from, to int64) {
			mu.Lock()
			defer mu.Unlock()
			skipped = append(skipped, [2]int64{from, to})
		},
	}
	leave := consume(t, b, c, func(err error) { t.Error(err) })
	eventually(t, "two wait", func() bool {
		lag, err := b.Lag(t.Context(), "t", "g")
		return err == nil && lag == 2
	})
	leave()
	healed = true

	topic, begun := prefixOf(common)+"t", false
	fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if !begun && fake.GroupInfo(topic+"/g").State == "Stable" {
			begun = true
			fake.SleepControl(func() { require.NoError(t, fake.DeleteRecords(topic, 0, 10)) })
		}
		return nil, nil, false
	})
	consume(t, b, c, func(err error) { t.Error(err) })
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
	mu.Lock()
	defer mu.Unlock()
	require.True(t, handled["30"])
	require.Equal(t, [][2]int64{{0, 10}}, skipped)
}
