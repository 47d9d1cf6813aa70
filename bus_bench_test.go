package notify_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// benchEvent is of the size of a small event of this package.
type benchEvent struct {
	Order  string        `json:"order"`
	Amount int64         `json:"amount"`
	Last   *atomic.Int64 `json:"-"` // counts down the observers that have seen the last event of a window
}

// BenchmarkEmit publishes a host's event to n observers that all run, with up
// to 1,024 events outstanding, and reports the CPU time that an event costs in
// all.
func BenchmarkEmit(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchEmit(b, n, 512) })
	}
}

// BenchmarkEmitOneByOne is the same with one event outstanding.
func BenchmarkEmitOneByOne(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) { benchEmit(b, n, 1) })
	}
}

// benchEmit emits in windows of events, two of which may be outstanding.
func benchEmit(b *testing.B, n, window int) {
	bus, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	notify.RegisterEvent[benchEvent](bus, "bench.event.v1")
	done := [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
	var left [2]atomic.Int64
	handled := make([]counter, n)
	for i := range n {
		sum := &handled[i]
		notify.On(bus, "observer-"+strconv.Itoa(i), func(_ context.Context, e notify.Event[benchEvent]) error {
			sum.Add(e.Data.Amount)
			if e.Data.Last != nil && e.Data.Last.Add(-1) == 0 {
				if e.Data.Last == &left[0] {
					done[0] <- struct{}{}
				} else {
					done[1] <- struct{}{}
				}
			}
			return nil
		})
	}
	ctx := b.Context()
	go func() { _ = bus.Run(context.Background()) }()
	require.NoError(b, bus.Ready(ctx))
	done[0] <- struct{}{}
	done[1] <- struct{}{}

	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	for i := range b.N {
		w := i / window % 2
		if i%window == 0 {
			<-done[w]
			left[w].Store(int64(n))
		}
		e := benchEvent{Order: "4711", Amount: 1}
		if i%window == window-1 || i == b.N-1 {
			e.Last = &left[w]
		}
		if _, err := notify.Emit(ctx, bus, e); err != nil {
			b.Fatal(err)
		}
	}
	for i := range handled {
		for handled[i].Load() < int64(b.N) {
			time.Sleep(50 * time.Microsecond)
		}
	}
	b.ReportMetric(float64((cpuTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	for i := range handled {
		require.EqualValues(b, b.N, handled[i].Load())
	}
	require.NoError(b, bus.Close(context.Background()))
}

// counter has a cache line of its own: an observer's events may be handled by
// several workers.
type counter struct {
	atomic.Int64
	_ [56]byte
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
