package postgres_test

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
	"github.com/seed-6c01d079/notify/notifytest"
)

const callers = 64

// durable is the DSN of a server that waits for the disk.
func durable(b *testing.B) string {
	b.Helper()
	if server == nil {
		schema(b)
		return dsn
	}
	s, err := postgrestest.Start(func(c *postgrestest.Config) { c.Durable = true })
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Stop()) })
	return s.DSN()
}

// together calls f b.N times from 64 goroutines.
func together(b *testing.B, f func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var running sync.WaitGroup
	b.ResetTimer()
	for range callers {
		running.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "accepted/s")
}

// One row a notification, each in a transaction of its own, over as many
// connections as the backend has and over as many as there are callers.
func BenchmarkRawInserts(b *testing.B) {
	for name, conns := range map[string]int32{"8_connections": 8, "64_connections": callers} {
		b.Run(name, func(b *testing.B) {
			config, err := pgxpool.ParseConfig(durable(b))
			require.NoError(b, err)
			config.MaxConns = conns
			pool, err := pgxpool.NewWithConfig(context.Background(), config)
			require.NoError(b, err)
			defer pool.Close()
			_, err = pool.Exec(context.Background(), "create table raw (id text primary key, body bytea)")
			require.NoError(b, err)
			body := make([]byte, 600) // as large as a record
			together(b, func() error {
				_, err := pool.Exec(context.Background(), "insert into raw (id, body) values ($1, $2)", rand.Text(), body)
				return err
			})
		})
	}
}

// What Send does: a record, an index or two, and a message, in one transaction.
func BenchmarkSend(b *testing.B) {
	n, err := notify.New(notify.Config{Backend: postgres.New(durable(b), func(c *postgres.Config) { c.MaxWork = 1 << 30 }), AddressKey: addressKey})
	require.NoError(b, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	together(b, func() error {
		_, err := n.Send(context.Background(), toAnna(""))
		return err
	})
	require.NoError(b, n.Close(context.Background()))
}

// From Publish to Handle, in batches of 100.
func BenchmarkPublishAndConsume(b *testing.B) {
	back := postgres.New(durable(b))
	defer back.Close()
	pub, err := back.Publisher()
	require.NoError(b, err)
	require.NoError(b, back.Fix(context.Background(), "t", "g", backend.FromOldest()))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var handled atomic.Int64
	all := make(chan struct{})
	go back.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
		for batch.Next() {
			done++
		}
		if handled.Add(int64(done)) == int64(b.N) {
			close(all)
		}
		return done, nil
	}})
	b.ResetTimer()
	for i := 0; i < b.N; i += 100 {
		messages := make([]*message.Message, 0, 100)
		for j := i; j < min(i+100, b.N); j++ {
			messages = append(messages, of(rand.Text()[:2], j))
		}
		require.NoError(b, pub.Publish("t", messages...))
	}
	<-all
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
