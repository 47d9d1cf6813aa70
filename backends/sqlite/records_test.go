package sqlite_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

func store(t testing.TB, b *sqlite.Backend, r backend.Record) {
	t.Helper()
	if r.Body == nil {
		r.Body = backend.Bytes(r.ID)
	}
	_, err := b.Store(t.Context(), r)
	require.NoError(t, err)
}

func bodyOf(t testing.TB, b *sqlite.Backend, id string) string {
	t.Helper()
	r, err := b.Load(t.Context(), id)
	require.NoError(t, err)
	data, err := r.Body.AppendBinary(nil)
	require.NoError(t, err)
	return string(data)
}

// At the cap what has expired goes first, then what waits for nothing, the
// soonest to expire first; what waits stays.
func TestRecordsAtTheirCap(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.MaxRecords = 4 })
	now := time.Now()
	store(t, b, backend.Record{ID: "expired", Due: now, Expires: now.Add(-time.Hour)})
	store(t, b, backend.Record{ID: "idle later", Expires: now.Add(2 * time.Hour)})
	store(t, b, backend.Record{ID: "idle", Aliases: []string{"alias"}, Expires: now.Add(time.Hour)})
	store(t, b, backend.Record{ID: "waits", Due: now, Expires: now.Add(time.Minute)})
	for i, gone := range []string{"expired", "idle", "idle later"} {
		_, err := b.Load(t.Context(), gone)
		require.NoError(t, err)
		store(t, b, backend.Record{ID: "new" + strconv.Itoa(i), Due: now})
		_, err = b.Load(t.Context(), gone)
		require.ErrorIs(t, err, backend.ErrNotFound)
	}
	_, err := b.LoadAlias(t.Context(), "alias")
	require.ErrorIs(t, err, backend.ErrNotFound)
	_, err = b.Store(t.Context(), backend.Record{ID: "one more", Expires: now.Add(time.Hour), Body: backend.Bytes("")})
	require.ErrorIs(t, err, backend.ErrOverloaded)
	require.Equal(t, "waits", bodyOf(t, b, "waits"))
}

// The value that was handed over is not taken for another one of the revision.
func TestARecordThatBeginsAnew(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	for n := range 50 {
		body := strconv.Itoa(n)
		store(t, b, backend.Record{ID: "id", Body: backend.Bytes(body), Expires: time.Now().Add(-time.Hour)})
		require.Equal(t, body, bodyOf(t, b, "id"))
		if n%2 == 0 {
			require.NoError(t, b.Delete(t.Context(), "id", 1))
		} else {
			gone, err := b.Expire(t.Context(), time.Now(), 10)
			require.NoError(t, err)
			require.Equal(t, 1, gone)
		}
		_, err := b.Load(t.Context(), "id")
		require.ErrorIs(t, err, backend.ErrNotFound)
	}
}

// More are expired than one transaction deletes.
func TestManyRecordsExpire(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	then := time.Now().Add(-time.Hour)
	for n := range 600 {
		store(t, b, backend.Record{ID: strconv.Itoa(n), Expires: then})
	}
	for _, want := range []int{500, 100, 0} {
		n, err := b.Expire(t.Context(), time.Now(), 500)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
}

// Times that are no text of the usual form come near.
func TestTimesThatAreFarAway(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	for id, due := range map[string]time.Time{
		"past": time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), "future": time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC),
		"now": time.Date(2026, 1, 2, 3, 4, 5, 6007, time.FixedZone("", 7200)),
	} {
		store(t, b, backend.Record{ID: id, Due: due})
	}
	ids, next, err := b.Due(t.Context(), time.Date(2026, 1, 2, 1, 4, 5, 7000, time.UTC), 10)
	require.NoError(t, err)
	require.Equal(t, []string{"past", "now"}, ids)
	require.Equal(t, 9999, next.Year())
	ids, _, err = b.Due(t.Context(), time.Date(2026, 1, 2, 1, 4, 5, 6007, time.UTC), 10)
	require.NoError(t, err)
	require.Equal(t, []string{"past"}, ids, "never before its time")
}

// Whoever loads a record that is deleted and made anew meanwhile gets the one
// or the other.
func TestARecordIsNotHalfOfAnother(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var readers sync.WaitGroup
	for range 32 {
		readers.Go(func() {
			for ctx.Err() == nil {
				r, err := b.Load(t.Context(), "id")
				if errors.Is(err, backend.ErrNotFound) {
					continue
				}
				if !assert.NoError(t, err) {
					return
				}
				body, err := r.Body.AppendBinary(nil)
				assert.NoError(t, err)
				if !assert.Equal(t, strconv.FormatInt(r.Due.Unix(), 10), string(body)) {
					return
				}
			}
		})
	}
	for n := range int64(300) {
		store(t, b, backend.Record{ID: "id", Body: backend.Bytes(strconv.FormatInt(n, 10)), Due: time.Unix(n, 0)})
		require.NoError(t, b.Delete(t.Context(), "id", 1))
	}
	stop()
	readers.Wait()
}

// A file that has more than it may, since the caps were others, is brought to
// them, and takes what is new.
func TestCapsThatWereLowered(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	for n := range 10 {
		store(t, b, backend.Record{ID: strconv.Itoa(n), Expires: time.Now().Add(time.Hour + time.Duration(n)*time.Minute)})
		_, dropped, err := b.Bury(t.Context(), backend.DeadLetter{Group: "g", Topic: "t", Message: wire("k", n), At: time.Now()})
		require.NoError(t, err)
		require.False(t, dropped)
	}
	require.NoError(t, b.Close())
	b = open(t, file, func(c *sqlite.Config) { c.MaxRecords, c.MaxDeadLetters = 4, 4 })
	store(t, b, backend.Record{ID: "new", Due: time.Now()})
	require.Equal(t, 4, number(t, file, "SELECT count(*) FROM records"))
	require.Equal(t, "9", bodyOf(t, b, "9"), "those that expire last stay")
	require.Equal(t, "new", bodyOf(t, b, "new"))
	_, dropped, err := b.Bury(t.Context(), backend.DeadLetter{Group: "g", Topic: "t", Message: wire("k", 10), At: time.Now()})
	require.NoError(t, err)
	require.True(t, dropped)
	letters, err := b.Letters(t.Context(), "", "", 100)
	require.NoError(t, err)
	require.Len(t, letters, 4)
	require.Equal(t, "k/10", letters[3].Message.UUID)
	for n := range 3 { // those that wait stay, and fill it
		store(t, b, backend.Record{ID: "waits " + strconv.Itoa(n), Due: time.Now()})
	}
	_, err = b.Store(t.Context(), backend.Record{ID: "too many", Body: backend.Bytes("1"), Due: time.Now()})
	require.ErrorIs(t, err, backend.ErrOverloaded)
}
