package main

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

// testDB is the database of a Redis of yours that the tests empty.
const testDB = 15

// emptyRedis is the one that NOTIFY_TEST_REDIS names, whose database 15 it
// empties, or a miniredis.
func emptyRedis(tb testing.TB) (addr string) {
	tb.Helper()
	if addr = os.Getenv("NOTIFY_TEST_REDIS"); addr == "" {
		return startMiniredis(tb).Addr()
	}
	require.NoError(tb, look(tb, addr).FlushDB(tb.Context()).Err())
	return addr
}

// look returns a client to look into a Redis with.
func look(tb testing.TB, addr string) *redis.Client {
	tb.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, DB: testDB})
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// openTest returns a backend that the test closes. All groups begin with the
// oldest message and have one lane, unless s says otherwise.
func openTest(tb testing.TB, addr string, s settings) backend.Backend {
	tb.Helper()
	s.DB = testDB
	if s.Group == nil {
		s.Group = everything(1)
	}
	b, err := open(addr, s, slog.New(slog.DiscardHandler))
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, b.Close()) })
	return b
}

func everything(lanes int) func(string) reading {
	return func(string) reading { return reading{Lanes: lanes, From: "0"} }
}

func publish(t *testing.T, b backend.Backend, key string, from, to int) {
	t.Helper()
	pub, err := b.Publisher()
	require.NoError(t, err)
	for n := from; n < to; n++ {
		m := message.NewMessage(key+"/"+strconv.Itoa(n), []byte(strconv.Itoa(n)))
		m.Metadata.Set(backend.KeyMetadata, key)
		require.NoError(t, pub.Publish("t", m))
	}
}

// consume has each message of topic "t" handled until the test ends, or the
// returned function is called, which waits.
func consume(t *testing.T, b backend.Backend, handle func(id string, attempt int) error) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- b.(backend.Consumer).Consume(ctx, backend.Consumption{
			Topic: "t", Group: "g", Concurrency: 64,
			Backoff: func(int, error) time.Duration { return 10 * time.Millisecond },
			Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
				for batch.Next() {
					if err := handle(batch.Message().UUID, batch.Attempt); err != nil {
						return done, err
					}
					done++
				}
				return done, nil
			},
		})
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(leave)
	return leave
}

// hold blocks a handler until the gate opens or the test ends.
func hold(t *testing.T, gate <-chan struct{}) {
	select {
	case <-gate:
	case <-t.Context().Done():
	}
}

// journal is what came, in order.
type journal struct {
	mu  sync.Mutex
	ids []string
}

func (j *journal) note(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ids = append(j.ids, id)
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string(nil), j.ids...)
}

// await waits until n came.
func (j *journal) await(t *testing.T, n int) []string {
	t.Helper()
	eventually(t, func() bool { return len(j.all()) >= n })
	return j.all()
}

func eventually(t *testing.T, so func() bool) {
	t.Helper()
	require.Eventually(t, so, time.Minute, 5*time.Millisecond)
}
