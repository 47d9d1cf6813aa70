package memory_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// chunk is a part of the events that may be outstanding in a benchmark.
type chunk struct {
	groups atomic.Int32 // that have not finished it
	done   chan struct{}
}

// benchEvent is a local event about as large as one of the host's.
type benchEvent struct {
	context.Context
	key     string
	payload [12]uint64
	last    *chunk // of which it is the last event
}

func (e *benchEvent) Key() string                     { return e.key }
func (e *benchEvent) Wire() (*message.Message, error) { return nil, fmt.Errorf("not on a wire") }

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFanOut publishes events one by one to n groups, up to 1,024
// outstanding, and reports the CPU time that an event costs in all.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { fanOut(b, n, 512) })
	}
}

// BenchmarkFanOutOneByOne is the same with one event outstanding.
func BenchmarkFanOutOneByOne(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { fanOut(b, n, 1) })
	}
}

func fanOut(b *testing.B, n, size int) {
	mem := memory.New()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var sums [128]struct {
		atomic.Uint64
		_ [7]uint64 // one to a cache line
	}
	for g := range n {
		sum := &sums[g].Uint64
		group := strconv.Itoa(g)
		require.NoError(b, mem.Fix(ctx, "events", group, backend.FromNow()))
		go func() {
			_ = mem.Consume(ctx, backend.Consumption{
				Topic: "events", Group: group, Concurrency: 16,
				Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
					var seen uint64
					defer func() { sum.Add(seen) }()
					for batch.Next() {
						e, ok := batch.Message().Context().(*benchEvent)
						if !ok {
							return done, fmt.Errorf("not an event")
						}
						seen += e.payload[0]
						done++
						if e.last != nil && e.last.groups.Add(-1) == 0 {
							e.last.done <- struct{}{}
						}
					}
					return done, nil
				},
			})
		}()
	}
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	chunks := [2]chunk{{done: make(chan struct{}, 1)}, {done: make(chan struct{}, 1)}}
	chunks[0].done <- struct{}{}
	chunks[1].done <- struct{}{}

	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	for i := range b.N {
		c := &chunks[i/size%2]
		if i%size == 0 {
			<-c.done
			c.groups.Store(int32(n))
		}
		e := &benchEvent{Context: context.Background(), key: keys[i%len(keys)]}
		e.payload[0] = 1
		if i%size == size-1 || i == b.N-1 {
			e.last = c
		}
		if err := mem.PublishLocal(time.Now(), "events", e); err != nil {
			b.Fatal(err)
		}
	}
	for g := range n {
		require.NoError(b, mem.CatchUp(ctx, "events", strconv.Itoa(g)))
	}
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	for g := range n {
		require.EqualValues(b, b.N, sums[g].Load())
	}
	require.NoError(b, mem.Close())
}

// BenchmarkCommit writes records four times each, with a message and a due
// time that moves.
func BenchmarkCommit(b *testing.B) {
	mem := memory.New()
	ctx := b.Context()
	now := time.Now()
	body := backend.Bytes("body")
	m := local("k", 0)
	out := []backend.Publication{{Topic: "t", Message: m}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		record := backend.Record{
			ID: strconv.Itoa(i / 4 % 100_000), Body: body, Revision: int64(i/400_000*4 + i%4),
			Due: now.Add(time.Duration(i) * time.Millisecond), Expires: now.Add(24 * time.Hour),
		}
		if _, err := mem.Commit(ctx, record, out); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, mem.Close())
}
