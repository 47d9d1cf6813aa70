package sqlite_test

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
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

// What Send does: a record of 3 kB, and a piece of work.
func BenchmarkAccept(b *testing.B) {
	body := backend.Bytes(strings.Repeat(`{"a":"b"}`, 333))
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
