package postgres_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// open returns a backend that is closed when the test ends.
func open(t testing.TB, opts ...func(*postgres.Config)) *postgres.Backend {
	t.Helper()
	b := postgres.New(dsn, opts...)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// connect returns a connection of its own.
func connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

// of is the n-th message of a key.
func of(key string, n int) *message.Message {
	m := message.NewMessage(key+"/"+strconv.Itoa(n), []byte(strconv.Itoa(n)))
	m.Metadata.Set(backend.KeyMetadata, key)
	return m
}

// hold has a handler that knows it wait.
func hold(m *message.Message) *message.Message {
	m.Payload = []byte("hold")
	return m
}

func publish(t testing.TB, b *postgres.Backend, topic string, messages ...*message.Message) {
	t.Helper()
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish(topic, messages...))
}

// got is what a group was given, in order.
type got struct {
	mu  sync.Mutex
	ids []string
}

func (g *got) add(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids = append(g.ids, id)
}

func (g *got) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string{}, g.ids...)
}

// each makes a Handle of a function for one message.
func each(f func(m *message.Message, attempt int) error) func(context.Context, *backend.Batch) (int, error) {
	return func(_ context.Context, b *backend.Batch) (done int, err error) {
		for b.Next() {
			if err := f(b.Message(), b.Attempt); err != nil {
				return done, err
			}
			done++
		}
		return done, nil
	}
}

// consume consumes until the returned function is called, which waits; at the
// latest until the test ends.
func consume(t testing.TB, b *postgres.Backend, c backend.Consumption) (leave func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Consume(ctx, c) }()
	leave = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(leave)
	return leave
}

// patience is how long a test waits for what must happen, on a busy machine too.
const patience = time.Minute

// eventually waits until it is so.
func eventually(t testing.TB, so func() bool, what string) {
	t.Helper()
	require.Eventually(t, so, patience, 10*time.Millisecond, what)
}

func caughtUp(t testing.TB, b *postgres.Backend, topic, group string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, b.CatchUp(ctx, topic, group))
}

func schemaOf(named func(*postgres.Config)) string {
	var c postgres.Config
	named(&c)
	return c.Schema
}
