package postgres_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

// keep has a group consume, and returns what it was given.
func keep(t *testing.T, b *postgres.Backend) *got {
	t.Helper()
	seen := &got{}
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		seen.add(m.UUID)
		return nil
	})})
	return seen
}

// The server falls silent on all connections, as when the network between drops
// packets: others are made, and everything goes on.
func TestTheServerFallsSilent(t *testing.T) {
	t.Parallel()
	if server == nil {
		t.Skip("no server of our own: ", missing)
	}
	p := newProxy(t)
	p.up()
	b := postgres.New(p.dsn(), schema(t), short, postgres.Patience(500*time.Millisecond))
	defer func() { require.NoError(t, b.Close()) }()
	// A busy server may be silent for as long, too.
	eventually(t, func() bool { return b.Fix(t.Context(), "t", "g", backend.FromOldest()) == nil }, "it answers")
	seen := keep(t, b)
	pub, err := b.Publisher()
	require.NoError(t, err)
	eventually(t, func() bool { return pub.Publish("t", of("k", 0)) == nil }, "it answers")
	eventually(t, func() bool { return slices.Contains(seen.all(), "k/0") }, "it has begun")

	p.silence()
	failed := make(chan error, 8) // more than write at a time
	for range cap(failed) {
		go func() { failed <- pub.Publish("t", of("lost", 0)) }()
	}
	var silent error
	for range cap(failed) {
		select {
		case err := <-failed: // or it found another connection
			silent = cmp.Or(err, silent)
		case <-time.After(patience):
			t.Fatal("Publish waits for a silent server for ever")
		}
	}
	if silent != nil {
		require.ErrorContains(t, silent, "the server did not answer")
	}
	eventually(t, func() bool { return pub.Publish("t", of("k", 1)) == nil }, "other connections are made")
	eventually(t, func() bool { return slices.Contains(seen.all(), "k/1") }, "it reads on")
}

// A process is frozen within a transaction, which has written something: it does
// not hold up the others for ever.
func TestAProcessThatIsFrozenInATransaction(t *testing.T) {
	t.Parallel()
	if server == nil {
		t.Skip("no server of our own: ", missing)
	}
	named := schema(t)
	b := open(t, named, short)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	p := newProxy(t)
	p.up()
	frozen := postgres.New(p.dsn()+" default_query_exec_mode=exec", named, short, postgres.Idle(time.Second))
	eventually(t, func() bool { return frozen.Fix(t.Context(), "other", "g", backend.FromOldest()) == nil }, "it is not idle for as long")
	reached := p.silenceAfter(".member (topic")
	consume(t, frozen, backend.Consumption{Topic: "other", Group: "g", Handle: each(func(*message.Message, int) error { return nil })})
	t.Cleanup(func() {
		p.down()
		require.NoError(t, frozen.Close())
	})
	<-reached
	seen := keep(t, b)
	publish(t, b, "t", of("k", 0))
	eventually(t, func() bool { return len(seen.all()) == 1 }, "it is read")
}

// Another server takes over that has not got what came last, as one does that was
// a replica: what is published there is read by a process that has read further on
// the first.
func TestAServerTakesOverThatLacksWhatCameLast(t *testing.T) {
	t.Parallel()
	if missing != nil {
		t.Skip(missing)
	}
	s, err := postgrestest.Start()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	b := postgres.New(s.DSN(), func(c *postgres.Config) { c.Lease, c.Poll, c.Partitions = 5*time.Second, 20*time.Millisecond, 2 })
	defer func() { require.NoError(t, b.Close()) }()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	holds, release := make(chan struct{}), make(chan struct{})
	seen := &got{}
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: each(func(m *message.Message, _ int) error {
		if m.UUID == "lost/299" { // so that a position is to be written that is not this server's
			close(holds)
			<-release
		}
		seen.add(m.UUID)
		return nil
	})})
	publish(t, b, "t", of("k", 0))
	caughtUp(t, b, "t", "g")

	pool, err := pgxpool.New(t.Context(), s.DSN())
	require.NoError(t, err)
	defer pool.Close()
	_, err = pool.Exec(t.Context(), "checkpoint")
	require.NoError(t, err)
	dir := strings.TrimPrefix(strings.Fields(s.DSN())[0], "host=")
	data, replica := filepath.Join(dir, "data"), filepath.Join(dir, "replica")
	out, err := exec.Command("cp", "-a", data, replica).CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.Remove(filepath.Join(replica, "postmaster.pid")))
	for n := range 300 {
		publish(t, b, "t", of("lost", n))
	}
	<-holds

	require.NoError(t, os.Rename(data, filepath.Join(dir, "first")))
	require.NoError(t, os.Rename(replica, data))
	const start = "select pg_postmaster_start_time()"
	var first, second time.Time
	require.NoError(t, pool.QueryRow(t.Context(), start).Scan(&first))
	require.NoError(t, s.Signal(syscall.SIGQUIT))
	eventually(t, func() bool { // what the first still takes is lost
		return pool.QueryRow(t.Context(), start).Scan(&second) == nil && !second.Equal(first)
	}, "the second server has taken over")
	pub, err := b.Publisher()
	require.NoError(t, err)
	var kept []string
	for n := 0; len(kept) < 20; n++ {
		if m := of("kept", n); pub.Publish("t", m) == nil {
			kept = append(kept, m.UUID)
		}
	}
	close(release)
	eventually(t, func() bool {
		all := seen.all()
		return !slices.ContainsFunc(kept, func(id string) bool { return !slices.Contains(all, id) })
	}, "what the second server has is handled")
	var left int
	require.NoError(t, pool.QueryRow(context.Background(), "select count(*) from notify.message where uuid like 'lost/%'").Scan(&left))
	require.Zero(t, left, "the second server has what came last")
}

// What waits for rows that a transaction of the host's holds does not take all
// connections.
func TestManyHeldRowsLeaveConnections(t *testing.T) {
	t.Parallel()
	named := schema(t)
	store := postgres.Records(dsn+" pool_max_conns=4", named)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	put := func(ctx context.Context, id string) error {
		_, err := store.Store(ctx, backend.Record{ID: id, Body: backend.Bytes("body")})
		return err
	}
	require.NoError(t, put(t.Context(), "first"))
	tx, err := connect(t).Begin(t.Context())
	require.NoError(t, err)
	held := make(chan error, 12)
	for n := range cap(held) {
		_, err = tx.Exec(t.Context(), "insert into "+schemaOf(named)+".record (id, revision, body) values ($1, 1, '')", "held"+strconv.Itoa(n))
		require.NoError(t, err)
	}
	for n := range cap(held) {
		go func() { held <- put(t.Context(), "held"+strconv.Itoa(n)) }()
	}
	for n := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		require.NoError(t, put(ctx, strconv.Itoa(n)))
		cancel()
	}
	require.NoError(t, tx.Commit(t.Context()))
	for range cap(held) {
		require.ErrorIs(t, <-held, backend.ErrConflict)
	}
}

// What the host's pool does to its connections is done to the one that listens
// too, such as fetching a password.
func TestTheHostsPoolMakesTheConnectionThatListens(t *testing.T) {
	t.Parallel()
	named := schema(t)
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	name := "of the host " + schemaOf(named)
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		c.RuntimeParams["application_name"] = name
		return nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	b := postgres.New("", named, func(c *postgres.Config) { c.Pool = pool })
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	_, err = b.Publisher()
	require.NoError(t, err)
	conn := connect(t)
	eventually(t, func() bool {
		var n int
		require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from pg_stat_activity where application_name = $1 and query like 'listen%'", name).Scan(&n))
		return n == 1
	}, "it listens")
}
