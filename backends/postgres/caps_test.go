package postgres_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// At the cap of records those go that wait for nothing, the soonest to expire
// first, and then new ones are refused, in transactions of the host's too. What is
// there can always be changed, and is known by its ID.
func TestTheCapOfRecords(t *testing.T) {
	t.Parallel()
	const most = 50
	b := open(t, schema(t), func(c *postgres.Config) { c.MaxRecords = most })
	put := func(r backend.Record) error {
		r.Body = backend.Bytes("body")
		_, err := b.Store(t.Context(), r)
		return err
	}
	day := time.Now().Add(24 * time.Hour)
	for n := range most {
		r := backend.Record{ID: strconv.Itoa(n), Expires: day.Add(time.Duration(n) * time.Minute)}
		if n >= 2 {
			r.Due = day
		}
		require.NoError(t, put(r))
	}
	for n := range 2 {
		require.NoError(t, put(backend.Record{ID: fmt.Sprint("new ", n), Due: day}))
		_, err := b.Load(t.Context(), strconv.Itoa(n))
		require.ErrorIs(t, err, backend.ErrNotFound)
	}
	_, err := b.Load(t.Context(), "2")
	require.NoError(t, err)
	require.ErrorIs(t, put(backend.Record{ID: "one more", Due: day}), backend.ErrOverloaded)
	require.ErrorIs(t, put(backend.Record{ID: "2", Due: day}), backend.ErrConflict)
	require.NoError(t, put(backend.Record{ID: "2", Revision: 1, Due: day}))

	require.NoError(t, pgx.BeginFunc(t.Context(), connect(t), func(tx pgx.Tx) error {
		within, err := b.Within(tx)
		require.NoError(t, err)
		r := backend.Record{ID: "in a transaction", Body: backend.Bytes("body"), Due: day}
		_, err = within.Commit(t.Context(), r, nil)
		require.ErrorIs(t, err, backend.ErrOverloaded)
		require.NoError(t, b.Delete(t.Context(), "3", 1))
		_, err = within.Commit(t.Context(), r, nil) // it is of use still
		return err
	}))
	_, err = b.Load(t.Context(), "in a transaction")
	require.NoError(t, err)
}

func TestTheCapOfDelayedMessages(t *testing.T) {
	t.Parallel()
	named := schema(t)
	b := open(t, named, func(c *postgres.Config) { c.MaxDelayed = 10 })
	ctx := context.Background()
	later := time.Now().Add(time.Hour)
	for n := range 9 {
		require.NoError(t, b.PublishAt(ctx, later, "t", of("k", n)))
	}
	require.ErrorIs(t, b.PublishAt(ctx, later, "t", of("k", 9), of("k", 10)), backend.ErrOverloaded)
	require.NoError(t, b.PublishAt(ctx, later, "t", of("k", 9)))
	require.NoError(t, b.PublishAt(ctx, time.Now(), "t", of("now", 0)))
	_, err := b.Commit(ctx, backend.Record{ID: "r", Body: backend.Bytes("body")}, []backend.Publication{
		{Topic: "t", Message: of("now", 1)}, {Topic: "t", Message: of("k", 10), At: later},
	})
	require.ErrorIs(t, err, backend.ErrOverloaded)
	_, err = b.Load(ctx, "r")
	require.ErrorIs(t, err, backend.ErrNotFound)
	require.Equal(t, 10, count(t, named, "delayed"))
	require.Equal(t, 1, count(t, named, "message"))

	// Once there is room, others take it.
	_, err = connect(t).Exec(ctx, "delete from "+schemaOf(named)+".delayed")
	require.NoError(t, err)
	eventually(t, func() bool { return b.PublishAt(ctx, later, "t", of("k", 10)) == nil }, "there is room")
}

// What is sent in a transaction is refused when nobody forwards.
func TestTheCapOfTheOutbox(t *testing.T) {
	t.Parallel()
	named := schema(t)
	store := records(t, named, func(c *postgres.Config) { c.MaxOutbox = 3 })
	for n := range 4 {
		require.NoError(t, pgx.BeginFunc(t.Context(), connect(t), func(tx pgx.Tx) error {
			within, err := store.Within(tx)
			require.NoError(t, err)
			_, err = within.Commit(t.Context(), backend.Record{ID: strconv.Itoa(n), Body: backend.Bytes("body")}, []backend.Publication{{Topic: "t", Message: of("k", n)}})
			if n < 3 {
				return err
			}
			require.ErrorIs(t, err, backend.ErrOverloaded)
			require.ErrorContains(t, err, "see that Forward runs")
			return nil // it is of use still
		}))
	}
	require.Equal(t, 3, count(t, named, "outbox"))
	require.Equal(t, 3, count(t, named, "record"))
}

// Looking up how many records there are may take longer than a caller has.
func TestLookingGoesOnForOthers(t *testing.T) {
	t.Parallel()
	named := schema(t)
	store := records(t, named)
	_, err := store.Load(t.Context(), "none") // so that the tables are there
	require.ErrorIs(t, err, backend.ErrNotFound)
	tx, err := connect(t).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), "lock table "+schemaOf(named)+".record in access exclusive mode")
	require.NoError(t, err)
	put := func(ctx context.Context) error {
		_, err := store.Store(ctx, backend.Record{ID: "r", Body: backend.Bytes("body")})
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := make(chan error, 1)
	go func() { first <- put(ctx) }()
	conn := connect(t)
	counting := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%count%'||$1||'%'", schemaOf(named)).Scan(&n))
		return n
	}
	eventually(t, func() bool { return counting() == 1 }, "it has begun")
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	require.Equal(t, 1, counting(), "it goes on")
	stored := make(chan error, 1)
	go func() { stored <- put(t.Context()) }()
	require.Equal(t, 1, counting(), "it is not begun anew")
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, <-stored)
}
