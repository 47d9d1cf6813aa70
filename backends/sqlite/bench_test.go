package sqlite_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/notifytest"
)

// event is a message of about an event's size.
func event(key string) *message.Message {
	m := message.NewMessage(key, []byte(`{"data":"`+strings.Repeat("x", 300)+`"}`))
	m.Metadata.Set(backend.KeyMetadata, key)
	for i := range 6 {
		m.Metadata.Set("ce_attribute"+strconv.Itoa(i), "value-of-an-attribute")
	}
	return m
}

// callers runs f from so many goroutines.
func callers(b *testing.B, n int, f func(i int64)) {
	var i atomic.Int64
	b.SetParallelism((n + 1) / 2) // times GOMAXPROCS, which -cpu 2 makes 2
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			f(i.Add(1))
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// Run it with -cpu 2. Alone is what a wait for the disk per call comes to.
func BenchmarkPublish(b *testing.B) {
	for _, alone := range []bool{true, false} {
		for _, n := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("alone=%v/callers=%d", alone, n), func(b *testing.B) {
				back := open(b, onDisk(b))
				if alone {
					require.NoError(b, sqlite.CommitAlone(back))
				}
				pub, err := back.Publisher()
				require.NoError(b, err)
				callers(b, n, func(i int64) {
					if err := pub.Publish("t", event(strconv.FormatInt(i, 10))); err != nil {
						panic(err)
					}
				})
			})
		}
	}
}

// What Send does: a record of 1 kB, and a piece of work.
func BenchmarkAccept(b *testing.B) {
	body := backend.Bytes(strings.Repeat(`{"a":"b"}`, 111))
	for _, alone := range []bool{true, false} {
		b.Run(fmt.Sprintf("alone=%v/callers=64", alone), func(b *testing.B) {
			back := open(b, onDisk(b))
			if alone {
				require.NoError(b, sqlite.CommitAlone(back))
			}
			callers(b, 64, func(i int64) {
				id := strconv.FormatInt(i, 10)
				_, err := back.Commit(b.Context(), backend.Record{ID: id, Body: body}, []backend.Publication{
					{Topic: "work", Message: event(id)},
				})
				if err != nil {
					panic(err)
				}
			})
		})
	}
}

// From Send, by 64 callers, until all have settled, with one observer.
func BenchmarkSettle(b *testing.B) {
	mail := notifytest.NewProvider[notify.Email]("mail")
	n, stop := notifier(b, onDisk(b), mail, func(notify.Event[any]) {})
	defer stop()
	callers(b, 64, func(int64) {
		id, err := n.Send(b.Context(), toAnna(""))
		if err == nil {
			_, err = n.Wait(b.Context(), id)
		}
		if err != nil {
			panic(err)
		}
	})
}

// A group that reads what is in a topic.
func BenchmarkConsume(b *testing.B) {
	back := open(b, onDisk(b))
	pub, err := back.Publisher()
	require.NoError(b, err)
	var all []*message.Message
	for i := range b.N {
		all = append(all, event(strconv.Itoa(i)))
	}
	for some := range slices.Chunk(all, 1000) {
		require.NoError(b, pub.Publish("t", some...))
	}
	require.NoError(b, back.Fix(b.Context(), "t", "g", backend.FromOldest()))
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() {
		ended <- back.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
			for ; batch.Next(); done++ {
			}
			return done, nil
		}})
	}()
	require.NoError(b, back.CatchUp(b.Context(), "t", "g"))
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	cancel()
	require.NoError(b, <-ended)
}

// BenchmarkCosts counts a message each, for 64 observers at once.
func BenchmarkCosts(b *testing.B) {
	s := open(b, onDisk(b)).Costs()
	now := time.Now().UTC()
	callers(b, 64, func(i int64) {
		e := spending("shop", int(i), now)
		e.Day = ""
		if _, err := s.Put(b.Context(), e); err != nil {
			b.Error(err)
		}
	})
}
