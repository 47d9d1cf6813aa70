package sqlite_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

var errFailed = errors.New("failed")

// patience is how long a test waits for what must happen.
const patience = time.Minute

// path is a file that does not exist yet, in memory where that can be had:
// neither a test nor a process that is killed can tell the difference.
func path(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "notify")
	if err != nil {
		return onDisk(t)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return filepath.Join(dir, "notify.db")
}

func onDisk(t testing.TB) string { return filepath.Join(t.TempDir(), "notify.db") }

// open opens the file until the test ends.
func open(t testing.TB, path string, opts ...func(*sqlite.Config)) *sqlite.Backend {
	t.Helper()
	b := sqlite.Open(path, opts...)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	_, err := b.Publisher()
	require.NoError(t, err)
	return b
}

// quiet keeps the log from the test's output.
func quiet(c *sqlite.Config) { c.Logger = slog.New(slog.DiscardHandler) }

// wire is the n-th message of a key.
func wire(key string, n int) *message.Message {
	m := message.NewMessage(key+"/"+strconv.Itoa(n), []byte(strconv.Itoa(n)))
	m.Metadata.Set(backend.KeyMetadata, key)
	return m
}

// publish publishes the messages from <= n < to of the key, in one call.
func publish(t testing.TB, b *sqlite.Backend, topic, key string, from, to int) {
	t.Helper()
	pub, err := b.Publisher()
	require.NoError(t, err)
	var all []*message.Message
	for n := from; n < to; n++ {
		all = append(all, wire(key, n))
	}
	require.NoError(t, pub.Publish(topic, all...))
}

// group is a member of a group, and what it got.
type group struct {
	leave func()

	mu       sync.Mutex
	finished []string
	attempts map[string][]int
	skipped  [][2]int64
}

// consume consumes until leave is called, or the test ends. A message for
// which fails is true fails.
func consume(t testing.TB, b *sqlite.Backend, topic, name string, fails func(uuid string, attempt int) bool, opts ...func(*backend.Consumption)) *group {
	t.Helper()
	g := &group{attempts: map[string][]int{}}
	c := backend.Consumption{
		Topic: topic, Group: name, Concurrency: 4,
		Backoff: func(int, error) time.Duration { return 10 * time.Millisecond },
		Skipped: func(from, to int64) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.skipped = append(g.skipped, [2]int64{from, to})
		},
		Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
			for ; batch.Next(); done++ {
				uuid := batch.Message().UUID
				bad := fails != nil && fails(uuid, batch.Attempt)
				g.mu.Lock()
				g.attempts[uuid] = append(g.attempts[uuid], batch.Attempt)
				if !bad {
					g.finished = append(g.finished, uuid)
				}
				g.mu.Unlock()
				if bad {
					return done, errFailed
				}
			}
			return done, nil
		},
	}
	for _, opt := range opts {
		opt(&c)
	}
	require.NoError(t, b.Fix(t.Context(), topic, name, backend.FromOldest()))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Consume(ctx, c) }()
	g.leave = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(g.leave)
	return g
}

func (g *group) got() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.finished...)
}

func (g *group) tries(uuid string) []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]int(nil), g.attempts[uuid]...)
}

// eventually waits until it is so.
func eventually(t testing.TB, so func() bool, what string) {
	t.Helper()
	require.Eventually(t, so, patience, 2*time.Millisecond, what)
}

func catchUp(t testing.TB, b *sqlite.Backend, topic, group string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, b.CatchUp(ctx, topic, group))
}

func lag(t testing.TB, b *sqlite.Backend, topic, group string) int64 {
	t.Helper()
	n, err := b.Lag(t.Context(), topic, group)
	require.NoError(t, err)
	return n
}

func uuids(key string, from, to int) (all []string) {
	for n := from; n < to; n++ {
		all = append(all, key+"/"+strconv.Itoa(n))
	}
	return all
}
