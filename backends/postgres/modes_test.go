package postgres_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Whatever way the DSN asks for to run statements, as poolers need, everything
// works.
func TestEveryQueryExecMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cache_statement description_cache_capacity=0", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := postgres.New(dsn+" default_query_exec_mode="+mode, schema(t), short)
			defer func() { require.NoError(t, b.Close()) }()
			require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromTime(time.Now().Add(-time.Hour))))
			seen := keep(t, b)
			publish(t, b, "t", of("k", 0), of("k", 1))
			require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(10*time.Millisecond), "t", of("k", 2)))
			revision, err := b.Commit(t.Context(), backend.Record{ID: "r", Body: backend.Bytes("body"), Aliases: []string{"a", "b"}, Due: time.Now()},
				[]backend.Publication{{Topic: "t", Message: of("x", 0)}})
			require.NoError(t, err)
			require.EqualValues(t, 1, revision)
			r, err := b.LoadAlias(t.Context(), "b")
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, r.Aliases)
			ids, _, err := b.Due(t.Context(), time.Now(), 10)
			require.NoError(t, err)
			require.Equal(t, []string{"r"}, ids)
			eventually(t, func() bool { return len(seen.all()) == 4 }, "all have come")
			id, _, err := b.Bury(t.Context(), backend.DeadLetter{Group: "g", Topic: "t", Message: of("k", 0), At: time.Now()})
			require.NoError(t, err)
			require.NoError(t, b.Unbury(t.Context(), id))
			line := b.Timeline(codec(t))
			now := time.Now()
			require.NoError(t, line.Add(t.Context(), event("n", now, "accepted", "notify.accepted.v1", notify.Accepted{})))
			require.NoError(t, line.Add(t.Context(), event("n", now, "settled", "notify.settled.v1", notify.Settled{State: notify.StateSent})))
			entry, err := line.Get(t.Context(), "n")
			require.NoError(t, err)
			require.Len(t, entry.Events, 2)
			page, err := line.List(t.Context(), timeline.Query{States: []notify.State{entry.Status.State}, Until: now.Add(time.Minute)})
			require.NoError(t, err)
			require.Equal(t, []timeline.Entry{entry}, page.Entries)
		})
	}
}

// Whatever isolation the database has by default, everything works: here for
// processes that make the tables at the same time.
func TestAnotherDefaultIsolation(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			named := schema(t)
			var all sync.WaitGroup
			errs := make(chan error, 6)
			for range cap(errs) {
				b := postgres.New(dsn+" default_transaction_isolation='"+level+"'", named, short)
				t.Cleanup(func() { require.NoError(t, b.Close()) })
				all.Go(func() {
					_, err := b.Publisher()
					errs <- err
				})
			}
			all.Wait()
			for range cap(errs) {
				require.NoError(t, <-errs)
			}
		})
	}
}
