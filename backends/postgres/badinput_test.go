package postgres_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

const secret = "s3cr3t"

// briefly has a backend try to connect for a moment.
func briefly(c *postgres.Config) { c.ConnectTimeout = 200 * time.Millisecond }

// refused is what the first use of a backend says.
func refused(t *testing.T, dsn string, opts ...func(*postgres.Config)) string {
	t.Helper()
	b := postgres.New(dsn, opts...)
	_, err := b.Publisher()
	require.Error(t, err)
	require.NoError(t, b.Close())
	require.True(t, strings.HasPrefix(err.Error(), "postgres: publisher: "), err)
	return err.Error()
}

// The parts of a password that special characters cut off are secret too.
func TestADSNWithMistakes(t *testing.T) {
	t.Parallel()
	for dsn, problem := range map[string]string{
		"": "the DSN is empty",
		"postgres://app:" + secret + "@db:port/app":                                            "port",
		"postgres://app:" + secret + "@db:99999/app":                                           "port is not a number from 1 to 65535",
		"postgres://app:" + secret + "#" + secret + "@db/app":                                  "",
		"postgres://app:" + secret + "/" + secret + "@db/app":                                  "",
		"postgres://app:" + secret + "@" + secret + "@db/app?x=%zz":                            "",
		"postgres://app:" + secret + "%zz@db/app":                                              "postgres://user:password@host:port/database",
		"postgres://app:" + secret + "@db/app?sslmode=maybe":                                   "sslmode is none of",
		"postgres://app:" + secret + "@db/app?connect_timeout=soon":                            "connect_timeout",
		"postgres://app:" + secret + "@db/app?pool_max_conns=many":                             "pool_",
		"postgres://app:" + secret + "@db/app?sslmode=verify-full&sslrootcert=/does/not/exist": "TLS",
		"host=db user=app password='" + secret:                                                 "key=value pairs",
		"host=db user=app password=" + secret + " " + secret:                                   "key=value pairs",
		"host=db user=app password=" + secret + " port=" + secret:                              "port",
		"host=db password=" + secret + " target_session_attrs=" + secret:                       "target_session_attrs",
		secret: "",
	} {
		t.Run(problem, func(t *testing.T) {
			t.Parallel()
			said := refused(t, dsn, briefly)
			require.Contains(t, said, problem)
			require.NotContains(t, said, secret)
		})
	}
}

func TestAConfigWithMistakes(t *testing.T) {
	t.Parallel()
	said := refused(t, "host=db", func(c *postgres.Config) {
		c.Pool = &pgxpool.Pool{}
		c.Schema = "pg_mine"
		c.Partitions = 5000
		c.Lease = time.Millisecond
		c.Retention = -time.Hour
		c.MaxDeadLetters = -1
	})
	for _, field := range []string{"a DSN and Config.Pool", "Config.Schema", "Config.Partitions", "Config.Lease", "Config.Retention", "Config.MaxDeadLetters"} {
		require.Contains(t, said, field)
	}
	store := postgres.Records("")
	_, err := store.Load(t.Context(), "id")
	require.ErrorContains(t, err, "the DSN is empty")
	_, err = store.Letters(t.Context(), "", "no number", 1)
	require.ErrorContains(t, err, "after is not the ID of a dead letter")
	require.NoError(t, store.Close())
}

func TestAServerThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	said := refused(t, "postgres://app:"+secret+"@127.0.0.1:1/app", briefly) // a port that nobody is given
	require.Contains(t, said, "tried for 200ms: the server cannot be reached: see that it runs")
	require.Equal(t, 1, strings.Count(said, "see that it runs"), said)
	require.NotContains(t, said, secret)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // and nobody answers
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })
	said = refused(t, fmt.Sprintf("postgres://app:%s@%s/app?sslmode=disable", secret, silent.Addr()), briefly)
	require.Contains(t, said, "tried for 200ms: the server cannot be reached: see that it runs")
	require.NotContains(t, said, secret)
	if server == nil {
		t.Skip("no server of our own: ", missing)
	}
	// A role that needs a password, by pg_hba.conf of the temporary server.
	conn := connect(t)
	_, err = conn.Exec(t.Context(), "drop role if exists locked; create role locked login password 'another'")
	require.NoError(t, err)
	said = refused(t, strings.Replace(dsn, "user=postgres", "user=locked password="+secret, 1))
	require.Contains(t, said, "the server refused user or password")
	require.NotContains(t, said, secret)
	require.NotContains(t, said, "tried for", "no use in trying again")
	said = refused(t, strings.Replace(dsn, "dbname=postgres", "dbname=nowhere", 1))
	require.Contains(t, said, "the database does not exist: create it with createdb")
	require.Equal(t, 1, strings.Count(said, "createdb"), said)
	said = refused(t, dsn+" no_such_setting=1")
	require.Contains(t, said, "does not know a setting of the DSN")

	_, err = conn.Exec(t.Context(), "drop role if exists poor; create role poor login")
	require.NoError(t, err)
	said = refused(t, strings.Replace(dsn, "user=postgres", "user=poor", 1), schema(t))
	require.Contains(t, said, "the user lacks a right: grant CREATE on the database")
	said = refused(t, dsn+" default_transaction_read_only=on", schema(t))
	require.Contains(t, said, "the server is read-only")
}

// A server that comes up within the time is waited for.
func TestAServerThatIsDownAtStart(t *testing.T) {
	t.Parallel()
	if server == nil {
		t.Skip("no server of our own: ", missing)
	}
	proxy := newProxy(t)
	late := postgres.New(proxy.dsn(), schema(t))
	up := make(chan error, 1)
	go func() {
		_, err := late.Publisher()
		up <- err
	}()
	eventually(t, func() bool { return proxy.refused() >= 2 }, "it tries again")
	proxy.up()
	require.NoError(t, <-up)
	require.NoError(t, late.Close())
}

func TestASchemaThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	conn := connect(t)
	b := open(t, named, func(c *postgres.Config) { c.Partitions = 4 })
	_, err := b.Publisher()
	require.NoError(t, err)
	_, err = open(t, named).Publisher()
	require.NoError(t, err, "the schema's own number")
	require.Contains(t, refused(t, dsn, named, func(c *postgres.Config) { c.Partitions = 8 }), "Config.Partitions is 8, but the schema \""+c.Schema+"\" was created with 4")

	_, err = conn.Exec(t.Context(), "insert into "+c.Schema+".migration (version) values (99)")
	require.NoError(t, err)
	require.Contains(t, refused(t, dsn, named), "has version 99, and this program knows up to ")

	other := schema(t)
	other(&c)
	_, err = conn.Exec(t.Context(), "create schema "+c.Schema+" create table thing (id integer)")
	require.NoError(t, err)
	require.Contains(t, refused(t, dsn, other), "has tables of another program: name one of its own by Config.Schema")
}

// Many processes that start at once make the tables once.
func TestMigratingAtTheSameTime(t *testing.T) {
	t.Parallel()
	named := schema(t)
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() {
			b := postgres.New(dsn, named)
			_, err := b.Publisher()
			if err == nil {
				err = b.Close()
			}
			failed <- err
		}()
	}
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
}

// A host's own pool is left open.
func TestAPoolOfTheHost(t *testing.T) {
	t.Parallel()
	named := schema(t)
	pool, err := pgxpool.New(t.Context(), dsn)
	require.NoError(t, err)
	defer pool.Close()
	b := postgres.New("", named, func(c *postgres.Config) { c.Pool = pool })
	_, err = b.Store(t.Context(), backend.Record{ID: "id", Body: backend.Bytes("body")})
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.NoError(t, pool.Ping(t.Context()))
}

func TestNamesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	b := open(t, schema(t), func(c *postgres.Config) { c.Logger = slog.New(slog.DiscardHandler) })
	pub, err := b.Publisher()
	require.NoError(t, err)
	for _, topic := range []string{"", strings.Repeat("t", 256), "a\x00b", "\xff"} {
		require.ErrorContains(t, pub.Publish(topic, of("k", 0)), "topic")
		require.Error(t, b.Fix(t.Context(), topic, "g", backend.FromNow()))
		require.Error(t, b.Fix(t.Context(), "t", topic, backend.FromNow()))
		_, err := b.Subscriber(topic)
		require.Error(t, err)
	}
	bad := of("k", 0)
	bad.Metadata.Set("x", "\xff")
	require.ErrorContains(t, pub.Publish("t", of("k", 0), bad), `message 1: the metadata "x" is not valid UTF-8`)
	bad = of("k", 0)
	bad.UUID = "a\x00"
	require.ErrorContains(t, pub.Publish("t", bad), "message 0: the message's UUID")
	require.ErrorContains(t, pub.Publish("t", nil), "message 0")
	n, err := b.Store(t.Context(), backend.Record{ID: "a\x00b", Body: backend.Bytes("b")})
	require.Error(t, err)
	require.Zero(t, n)
}

// A letter from elsewhere is never refused for what it holds.
func TestALetterWithBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	store := records(t, schema(t))
	m := of("k", 0)
	m.UUID, m.Payload = "\xff\x00", []byte("\x00\xff")
	m.Metadata.Set("x", "\xfe\x00")
	_, _, err := store.Bury(t.Context(), backend.DeadLetter{Group: "g", Topic: "t", Message: m, Class: "decode", Error: "\x00", Attempts: 1, At: time.Now()})
	require.NoError(t, err)
	letters, err := store.Letters(context.Background(), "g", "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, []byte("\x00\xff"), []byte(letters[0].Message.Payload), "the payload is as it was")
	require.Equal(t, "\uFFFD\x00", letters[0].Message.Metadata.Get("x"))
	require.Equal(t, "\uFFFD\uFFFD", letters[0].Message.UUID)
}
