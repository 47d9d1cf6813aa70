package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// number reads a number as the sqlite3 shell would, beside the program.
func number(t testing.TB, file, query string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow(query).Scan(&n))
	return n
}

// sweep has everything deleted that need not be kept at that time, once it is
// written down how far the groups are.
func sweep(t testing.TB, b *sqlite.Backend, at time.Time) {
	t.Helper()
	for range 2 {
		require.NoError(t, sqlite.Sweep(b, at))
	}
}

func TestMessagesGoWhenTheyAreOldOrMany(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file, func(c *sqlite.Config) { c.RetainMessages, c.RetainFor = 100, time.Hour })
	kept := func() int { return number(t, file, "SELECT count(*) FROM messages") }
	publish(t, b, "t", "k", 0, 600)
	require.NoError(t, b.Fix(t.Context(), "t", "behind", backend.FromNow()))
	publish(t, b, "t", "k", 600, 1000)
	g := consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	sweep(t, b, time.Now())
	require.Equal(t, 400, kept(), "what a live group has not finished stays")
	sweep(t, b, time.Now().Add(2*time.Hour))
	require.Equal(t, 400, kept())
	require.EqualValues(t, 400, lag(t, b, "t", "behind"))

	behind := consume(t, b, "t", "behind", nil)
	catchUp(t, b, "t", "behind")
	require.Equal(t, uuids("k", 600, 1000), behind.got())
	sweep(t, b, time.Now())
	require.Equal(t, 100, kept(), "so many stay for groups to come")
	require.EqualValues(t, 100, lagOfNew(t, b))
	require.NoError(t, b.Forget(t.Context(), "t", "new"))
	sweep(t, b, time.Now().Add(2*time.Hour))
	require.Zero(t, kept(), "so long")
	publish(t, b, "t", "k", 1000, 1010)
	catchUp(t, b, "t", "g")
	require.Equal(t, uuids("k", 0, 1010), g.got())
	require.NoError(t, b.Close())
	b = open(t, file)
	require.EqualValues(t, 10, lagOfNew(t, b))
}

func TestATopicWithoutGroupsKeepsWhatItMay(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.RetainMessages = 100 })
	publish(t, b, "t", "k", 0, 250)
	sweep(t, b, time.Now())
	require.EqualValues(t, 100, lagOfNew(t, b))
}

func TestItIsLookedAtItsTimes(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.RetainMessages, c.SweepEvery = 100, 10*time.Millisecond })
	publish(t, b, "t", "k", 0, 250)
	eventually(t, func() bool {
		n := lagOfNew(t, b)
		require.NoError(t, b.Forget(t.Context(), "t", "new"))
		return n == 100
	}, "it is swept")
}

// A message that waits outlives the retention, alone.
func TestAMessageThatWaitsHoldsBackNoOther(t *testing.T) {
	t.Parallel()
	file := path(t)
	limits := func(c *sqlite.Config) { c.RetainMessages = 10 }
	b := open(t, file, limits)
	var heal atomic.Bool
	fails := func(uuid string, _ int) bool { return uuid == "bad/0" && !heal.Load() }
	publish(t, b, "t", "bad", 0, 2)
	publish(t, b, "t", "good", 0, 1000)
	g := consume(t, b, "t", "g", fails)
	other := consume(t, b, "t", "other", fails)
	eventually(t, func() bool { return len(g.got()) == 1000 && len(other.got()) == 1000 }, "the good are finished")
	sweep(t, b, time.Now())
	require.Equal(t, 10+2, number(t, file, "SELECT count(*) FROM messages"))
	g.leave()
	other.leave()
	require.NoError(t, b.Close())

	b = open(t, file, limits)
	heal.Store(true)
	g = consume(t, b, "t", "g", fails)
	catchUp(t, b, "t", "g")
	require.Equal(t, uuids("bad", 0, 2), g.got())
	sweep(t, b, time.Now())
	require.Equal(t, 10+2, number(t, file, "SELECT count(*) FROM messages"), "the other group still wants them")
	require.NoError(t, b.Forget(t.Context(), "t", "other"))
	require.Equal(t, 10, number(t, file, "SELECT count(*) FROM messages"))
}

func TestAnAbandonedGroupHoldsNothingAndIsToldWhenItComesBack(t *testing.T) {
	t.Parallel()
	file := path(t)
	told := make(chan string, 10)
	limits := func(c *sqlite.Config) {
		quiet(c)
		c.RetainMessages, c.AbandonAfter = 10, time.Hour
		c.Abandoned = func(topic, group string, unfinished int64) { told <- fmt.Sprint(topic, " ", group, " ", unfinished) }
	}
	b := open(t, file, limits)
	fails := func(uuid string, _ int) bool { return uuid == "k/3" }
	publish(t, b, "t", "k", 0, 5)
	publish(t, b, "t", "l", 0, 5)
	gone := consume(t, b, "t", "gone", fails)
	eventually(t, func() bool { return len(gone.got()) == 8 && len(gone.tries("k/3")) > 1 }, "one fails")
	gone.leave()
	publish(t, b, "t", "k", 5, 1000)
	stays := consume(t, b, "t", "stays", nil)
	catchUp(t, b, "t", "stays")
	sweep(t, b, time.Now().Add(50*time.Minute))
	require.Equal(t, 997, number(t, file, "SELECT count(*) FROM messages"), "but the eight that both have finished, and those that wait stay")
	require.Empty(t, told)
	sweep(t, b, time.Now().Add(2*time.Hour))
	require.Equal(t, "t gone 997", <-told)
	require.Empty(t, told, "once, and not of a group with a member")
	require.Equal(t, 10, number(t, file, "SELECT count(*) FROM messages"))
	require.Equal(t, 1, number(t, file, "SELECT count(*) FROM lags WHERE abandoned IS NOT NULL"))
	stays.leave()
	require.NoError(t, b.Close())

	b = open(t, file, limits)
	gone = consume(t, b, "t", "gone", nil)
	catchUp(t, b, "t", "gone")
	require.Equal(t, uuids("k", 990, 1000), gone.got())
	gone.mu.Lock()
	require.Equal(t, [][2]int64{{3, 4}, {4, 5}, {10, 995}}, gone.skipped)
	gone.mu.Unlock()
	publish(t, b, "t", "k", 1000, 1100)
	catchUp(t, b, "t", "gone")
	sweep(t, b, time.Now())
	require.Zero(t, number(t, file, "SELECT count(*) FROM lags WHERE abandoned IS NOT NULL"))
}

// A group may be abandoned and come back without a restart.
func TestAnAbandonedGroupComesBackWithItsRest(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file, func(c *sqlite.Config) { quiet(c); c.AbandonAfter = time.Hour })
	fails := func(uuid string, _ int) bool { return uuid == "k/3" }
	publish(t, b, "t", "k", 0, 5)
	g := consume(t, b, "t", "g", fails)
	eventually(t, func() bool { return len(g.tries("k/3")) > 1 }, "one fails")
	g.leave()
	sweep(t, b, time.Now().Add(2*time.Hour))
	require.Equal(t, 1, number(t, file, "SELECT count(*) FROM lags WHERE abandoned IS NOT NULL"))
	require.EqualValues(t, 2, lag(t, b, "t", "g"))
	g = consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	require.Equal(t, uuids("k", 3, 5), g.got(), "nothing had been deleted")
	require.Empty(t, g.skipped)
}

// Space is used again, and given back when much of the file is unused.
func TestTheFileShrinks(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file, func(c *sqlite.Config) { c.RetainMessages = 1 })
	pub, err := b.Publisher()
	require.NoError(t, err)
	big := message.NewMessage("big", []byte(strings.Repeat("x", 1<<20)))
	size := func() int64 {
		info, err := os.Stat(file)
		require.NoError(t, err)
		return info.Size()
	}
	for range 12 {
		require.NoError(t, pub.Publish("t", big.Copy()))
	}
	require.Greater(t, number(t, file, "SELECT page_count FROM pragma_page_count"), 12<<8)
	sweep(t, b, time.Now())
	require.Less(t, number(t, file, "SELECT page_count FROM pragma_page_count"), 6<<8)
	require.NoError(t, b.Close())
	require.Less(t, size(), int64(6<<20))
	require.Equal(t, 1, number(t, file, "SELECT count(*) FROM messages"))
}
