package postgres_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/postgres"
)

// count counts rows of a table of the schema.
func count(t testing.TB, named func(*postgres.Config), what string) (n int) {
	t.Helper()
	var c postgres.Config
	named(&c)
	require.NoError(t, connect(t).QueryRow(t.Context(), "select count(*) from "+c.Schema+"."+what).Scan(&n))
	return n
}

func brief(c *postgres.Config) {
	c.Lease, c.Poll, c.Retention, c.Partitions = time.Second, 20*time.Millisecond, 300*time.Millisecond, 2
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
	away := func(c *postgres.Config) { c.GroupTimeout = 300 * time.Millisecond }
	b := open(t, named, brief, away)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
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
	leave := consume(t, b, c)
	publish(t, b, "t", of("bad", 0), of("k", 0), of("k", 1))
	eventually(t, func() bool { return slices.Contains(seen.all(), "k/1") && count(t, named, "waiting") == 1 }, "it has begun")
	leave()
	const missed = 2500
	var messages []*message.Message
	for n := range missed {
		messages = append(messages, of("k"+strconv.Itoa(n%50), n))
	}
	publish(t, b, "t", messages...)
	eventually(t, func() bool { return count(t, named, "message") == 0 }, "they are deleted all the same")
	publish(t, b, "t", of("last", 0))
	consume(t, b, c)
	eventually(t, func() bool { return slices.Contains(seen.all(), "last/0") }, "it goes on")
	mu.Lock()
	defer mu.Unlock()
	require.EqualValues(t, missed+1, skipped)
	require.Equal(t, []string{"k/0", "k/1", "last/0"}, seen.all())
	require.Zero(t, count(t, named, "waiting"))
}
