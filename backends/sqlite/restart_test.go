package sqlite_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

func TestEverythingSurvivesARestart(t *testing.T) {
	t.Parallel()
	file := path(t)
	due := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	b := open(t, file)
	require.NoError(t, b.Fix(t.Context(), "t", "idle", backend.FromOldest()))
	publish(t, b, "t", "k", 0, 700)
	g := consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	g.leave()
	publish(t, b, "t", "k", 700, 710)
	require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(300*time.Millisecond), "later", wire("k", 0)))
	_, err := b.Commit(t.Context(), backend.Record{ID: "id", Body: backend.Bytes("body"), Aliases: []string{"alias"}, Due: due}, nil)
	require.NoError(t, err)
	letter, _, err := b.Bury(t.Context(), backend.DeadLetter{Group: "g", Topic: "t", Message: wire("k", 3), Class: "error", Error: "it failed", Attempts: 2, At: due})
	require.NoError(t, err)
	secret, err := b.Secret(t.Context(), "name")
	require.NoError(t, err)
	require.NoError(t, b.Close())

	b = open(t, file)
	require.EqualValues(t, 10, lag(t, b, "t", "g"))
	require.EqualValues(t, 710, lag(t, b, "t", "idle"))
	g = consume(t, b, "t", "g", nil)
	idle := consume(t, b, "t", "idle", nil)
	later := consume(t, b, "later", "g", nil)
	catchUp(t, b, "t", "g")
	catchUp(t, b, "t", "idle")
	require.Equal(t, uuids("k", 700, 710), g.got())
	require.Equal(t, uuids("k", 0, 710), idle.got())
	eventually(t, func() bool { return slices.Equal(later.got(), uuids("k", 0, 1)) }, "the delayed message came")
	r, err := b.LoadAlias(t.Context(), "alias")
	require.NoError(t, err)
	require.Equal(t, backend.Record{ID: "id", Revision: 1, Body: backend.Bytes("body"), Aliases: []string{"alias"}, Due: due.UTC()}, r)
	letters, err := b.Letters(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, letter, letters[0].ID)
	require.True(t, letters[0].Message.Equals(wire("k", 3)))
	again, err := b.Secret(t.Context(), "name")
	require.NoError(t, err)
	require.Equal(t, secret, again)
}

// A key that fails waits; the others go on, and a restart changes neither that
// nor how often it was tried.
func TestWhatFailedWaitsOverARestart(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	fails := func(uuid string, _ int) bool { return uuid == "bad/0" }
	thenWaits := func(pause time.Duration) func(*backend.Consumption) {
		return func(c *backend.Consumption) {
			c.Backoff = func(attempt int, _ error) time.Duration {
				if attempt < 3 {
					return time.Millisecond
				}
				return pause
			}
		}
	}
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	publish(t, b, "t", "bad", 0, 3)
	publish(t, b, "t", "good", 0, 300)
	g := consume(t, b, "t", "g", fails, thenWaits(time.Hour))
	eventually(t, func() bool { return len(g.got()) == 300 && len(g.tries("bad/0")) == 3 }, "the good are finished, the bad has failed three times")
	require.EqualValues(t, 3, lag(t, b, "t", "g"))
	g.leave()
	require.NoError(t, b.Close())
	require.Equal(t, 1, number(t, file, "SELECT count(*) FROM waiting WHERE attempts = 3 AND due > strftime('%Y-%m-%dT%H:%M', 'now', '+50 minutes')"))
	query(t, file, "UPDATE waiting SET due = strftime('%Y-%m-%dT%H:%M:%f000Z', 'now') WHERE attempts = 3")

	b = open(t, file)
	require.EqualValues(t, 3, lag(t, b, "t", "g"))
	g = consume(t, b, "t", "g", fails, thenWaits(500*time.Millisecond))
	eventually(t, func() bool { return len(g.tries("bad/0")) > 0 }, "it is tried again")
	require.Equal(t, 4, g.tries("bad/0")[0])
	require.Empty(t, g.got())
	g.leave()
	g = consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	require.Equal(t, uuids("bad", 0, 3), g.got())
	require.Zero(t, lag(t, b, "t", "g"))
	g.leave()
	require.NoError(t, b.Close())

	b = open(t, file)
	require.Zero(t, lag(t, b, "t", "g"))
	catchUp(t, b, "t", "g")
}

// Positions are on disk once the file is closed, whatever their delay.
func TestClosingWritesPositionsDown(t *testing.T) {
	t.Parallel()
	file := path(t)
	for n := range 20 {
		b := sqlite.Open(file)
		publish(t, b, "t", "k", n, n+1)
		g := consume(t, b, "t", "g", nil)
		eventually(t, func() bool { return len(g.got()) > 0 }, "it came")
		g.leave()
		require.Equal(t, []string{"k/" + strconv.Itoa(n)}, g.got())
		require.NoError(t, b.Close())
	}
}
