package postgres_test

import (
	"slices"
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

// count counts rows of a table of the schema.
func count(t testing.TB, named func(*postgres.Config), what string) (n int) {
	t.Helper()
	var c postgres.Config
	named(&c)
	conn, err := pgx.Connect(t.Context(), dsn) // not connect: some ask hundreds of times
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from "+c.Schema+"."+what).Scan(&n))
	return n
}

func brief(c *postgres.Config) {
	c.Lease, c.Poll, c.Retention, c.Partitions = 3*time.Second, 20*time.Millisecond, 300*time.Millisecond, 2
}

func TestMessagesAreDeletedByAge(t *testing.T) {
	t.Parallel()
	named := schema(t)
	b := open(t, named, brief)
	publish(t, b, "t", of("k", 0), of("k", 1))
	eventually(t, func() bool { return count(t, named, "message") == 0 }, "nobody wants them")
}

// A group that is alive holds what it has not finished, be it parked.
func TestALiveGroupIsWaitedFor(t *testing.T) {
	t.Parallel()
	named := schema(t)
	b := open(t, named, brief)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	publish(t, b, "t", of("bad", 0), of("bad", 1), of("good", 0))
	var heal sync.Once
	healed := make(chan struct{})
	var seen got
	consume(t, b, backend.Consumption{
		Topic: "t", Group: "g",
		Backoff: func(int, error) time.Duration { return 50 * time.Millisecond },
		Handle: each(func(m *message.Message, _ int) error {
			if backend.Key(m) == "bad" {
				select {
				case <-healed:
				default:
					return errFailed
				}
			}
			seen.add(m.UUID)
			return nil
		}),
		Skipped: func(from, to int64) { t.Errorf("skipped from %d to %d", from, to) },
	})
	for n := range 20 { // and more than a retention passes
		publish(t, b, "t", of("more", n))
		time.Sleep(50 * time.Millisecond)
	}
	require.GreaterOrEqual(t, count(t, named, "message where uuid like 'bad/%'"), 2)
	heal.Do(func() { close(healed) })
	caughtUp(t, b, "t", "g")
	require.Subset(t, seen.all(), []string{"bad/0", "bad/1", "good/0", "more/19"})
	eventually(t, func() bool { return count(t, named, "message") == 0 }, "all are finished")
}

// A group that nobody has consumed for long is moved forward, and told so when it
// is back: every message was handled or skipped.
func TestAGroupThatIsAwayIsSkipped(t *testing.T) {
	t.Parallel()
	named := schema(t)
	first := postgres.New(dsn, named, brief)
	require.NoError(t, first.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var seen got
	var mu sync.Mutex
	skipped := int64(0)
	c := backend.Consumption{
		Topic: "t", Group: "g",
		Backoff: func(int, error) time.Duration { return time.Hour },
		Handle: each(func(m *message.Message, _ int) error {
			if m.UUID == "bad/0" {
				return errFailed // it waits, and is deleted
			}
			seen.add(m.UUID)
			return nil
		}),
		Skipped: func(from, to int64) {
			mu.Lock()
			defer mu.Unlock()
			skipped += to - from
		},
	}
	leave := consume(t, first, c)
	publish(t, first, "t", of("bad", 0), of("k", 0), of("k", 1))
	eventually(t, func() bool { return slices.Contains(seen.all(), "k/1") && count(t, named, "waiting") == 1 }, "it has begun")
	leave()
	require.NoError(t, first.Close())
	strict := postgres.New(dsn, named, brief, func(c *postgres.Config) { c.GroupTimeout = 300 * time.Millisecond })
	const missed = 2500
	var messages []*message.Message
	for n := range missed {
		messages = append(messages, of("k"+strconv.Itoa(n%50), n))
	}
	publish(t, strict, "t", messages...)
	eventually(t, func() bool { return count(t, named, "message") == 0 }, "they are deleted all the same")
	require.NoError(t, strict.Close())
	last := open(t, named)
	publish(t, last, "t", of("last", 0))
	consume(t, last, c)
	eventually(t, func() bool { return slices.Contains(seen.all(), "last/0") }, "it goes on")
	mu.Lock()
	defer mu.Unlock()
	require.EqualValues(t, missed+1, skipped)
	require.Equal(t, []string{"k/0", "k/1", "last/0"}, seen.all())
	require.Zero(t, count(t, named, "waiting"))
}

// A schema that was restored from a dump has transaction IDs of another server,
// far from those of this one: groups go on where they were all the same.
func TestARestoredSchema(t *testing.T) {
	t.Parallel()
	named := schema(t)
	var c postgres.Config
	named(&c)
	one := postgres.New(dsn, named)
	require.NoError(t, one.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var first got
	leave := consume(t, one, backend.Consumption{
		Topic: "t", Group: "g",
		Backoff: func(int, error) time.Duration { return time.Minute },
		Handle: each(func(m *message.Message, _ int) error {
			if m.UUID == "bad/0" {
				return errFailed
			}
			first.add(m.UUID)
			return nil
		}),
	})
	publish(t, one, "t", of("bad", 0), of("k", 0))
	publish(t, one, "t", of("k", 1))
	eventually(t, func() bool { return count(t, named, "waiting") == 1 && len(first.all()) == 2 }, "it has begun")
	leave()
	publish(t, one, "t", of("k", 2))
	publish(t, one, "t", of("k", 3))
	require.NoError(t, one.Fix(t.Context(), "t", "late", backend.FromNow()))
	require.NoError(t, one.Close())

	conn := connect(t)
	for _, far := range []string{
		"update message set xid = (xid::text::bigint + 1000000000000)::text::xid8",
		"update waiting set xid = (xid::text::bigint + 1000000000000)::text::xid8, due = now()",
		"update position set xid = (xid::text::bigint + 1000000000000)::text::xid8 where xid > '0'",
		"update setting set value = 'another' where name = 'server'",
	} {
		_, err := conn.Exec(t.Context(), "set search_path to "+c.Schema+"; "+far)
		require.NoError(t, err)
	}
	two := open(t, named)
	publish(t, two, "t", of("k", 4))
	read := func(group string) []string {
		var seen got
		consume(t, two, backend.Consumption{Topic: "t", Group: group, Handle: each(func(m *message.Message, _ int) error {
			seen.add(m.UUID)
			return nil
		})})
		caughtUp(t, two, "t", group)
		return seen.all()
	}
	require.ElementsMatch(t, []string{"bad/0", "k/2", "k/3", "k/4"}, read("g"))
	require.Contains(t, read("late"), "k/4")

	// And once more, after the first message is gone.
	publish(t, two, "t", of("k", 5))
	require.NoError(t, two.Close())
	for _, again := range []string{
		"delete from message where uuid = 'bad/0'",
		"update message set at = at where uuid = 'k/0'", // which comes last in the table then
		"update setting set value = 'another' where name = 'server'",
	} {
		_, err := conn.Exec(t.Context(), "set search_path to "+c.Schema+"; "+again)
		require.NoError(t, err)
	}
	two = open(t, named)
	publish(t, two, "t", of("k", 6))
	require.Contains(t, read("g"), "k/6")
}

// A group with a member is alive, however seldom that says so.
func TestAGroupWithAMemberIsAlive(t *testing.T) {
	t.Parallel()
	named := schema(t)
	b := open(t, named, brief, func(c *postgres.Config) { c.Lease, c.GroupTimeout = 6*time.Second, 50*time.Millisecond })
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	holds, release := make(chan struct{}), make(chan struct{})
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", MaxBatch: 1, Handle: each(func(m *message.Message, _ int) error {
		if m.UUID == "k/0" {
			close(holds)
			<-release
		}
		return nil
	})})
	publish(t, b, "t", of("k", 0), of("k", 1))
	t.Cleanup(func() { close(release) })
	<-holds
	publish(t, b, "other", of("k", 0))
	eventually(t, func() bool { return count(t, named, "message where topic = 'other'") == 0 }, "more than a retention passes")
	publish(t, b, "other", of("k", 1))
	eventually(t, func() bool { return count(t, named, "message where topic = 'other'") == 0 }, "and another")
	require.Equal(t, 2, count(t, named, "message where topic = 't'"))
}
