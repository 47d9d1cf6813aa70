package sqlite_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	lib "modernc.org/sqlite/lib"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// syncs is how often the log was synced.
func (d *disk) syncs() (n int) {
	for _, c := range d.changes() {
		if c.kind == "sync" && c.file == "-wal" {
			n++
		}
	}
	return n
}

// Callers at the same time share a wait for the disk, and nothing else: each
// has its own outcome.
func TestCallersShareATransactionButNotTheirFate(t *testing.T) {
	t.Parallel()
	file := path(t)
	d := newDisk(t, file)
	b := d.open(file, 4000, func(c *sqlite.Config) { c.MaxDelayed, c.MaxRecords = 5, 28 })
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	_, err := b.Commit(t.Context(), backend.Record{ID: "old", Body: backend.Bytes("1")}, nil)
	require.NoError(t, err)
	publish(t, b, "t", "first", 0, 1)
	before := d.syncs()

	release, err := sqlite.Hold(b)
	require.NoError(t, err)
	const n = 100
	var callers sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		callers.Go(func() {
			out := []backend.Publication{{Topic: "t", Message: wire("k", i)}, {Topic: "new-" + strconv.Itoa(i), Message: wire("k", i)}}
			r := backend.Record{ID: strconv.Itoa(i), Body: backend.Bytes("1"), Aliases: []string{strconv.Itoa(i)}}
			switch i % 4 {
			case 1:
				r.ID = "old" // a conflict
			case 2:
				r.Revision = 7 // another
			case 3:
				for range 6 { // over a cap, after the record was written
					out = append(out, backend.Publication{Topic: "t", Message: wire("later", i), At: time.Now().Add(time.Hour)})
				}
			}
			_, errs[i] = b.Commit(t.Context(), r, out)
		})
	}
	eventually(t, func() bool { return sqlite.Queued(b) == n }, "all wait")
	release()
	callers.Wait()
	require.Equal(t, 1, d.syncs()-before, "one transaction")
	for i, err := range errs {
		_, loaded := b.Load(t.Context(), strconv.Itoa(i))
		_, aliased := b.LoadAlias(t.Context(), strconv.Itoa(i))
		_, lag := b.Lag(t.Context(), "new-"+strconv.Itoa(i), "nobody")
		require.ErrorIs(t, lag, backend.ErrNotFound)
		switch i % 4 {
		case 0:
			require.NoError(t, err)
			require.NoError(t, loaded)
			require.NoError(t, aliased)
			continue
		case 3:
			require.ErrorIs(t, err, backend.ErrOverloaded)
		default:
			require.ErrorIs(t, err, backend.ErrConflict)
		}
		require.ErrorIs(t, loaded, backend.ErrNotFound)
		require.ErrorIs(t, aliased, backend.ErrNotFound)
	}
	require.EqualValues(t, 1+n/4, lagOfNew(t, b))
	g := consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	require.Len(t, g.got(), 1+n/4)
	for i := range 2 { // what was taken back does not count
		_, err := b.Store(t.Context(), backend.Record{ID: "more " + strconv.Itoa(i), Body: backend.Bytes("1")})
		require.NoError(t, err)
	}
	_, err = b.Store(t.Context(), backend.Record{ID: "too many", Body: backend.Bytes("1")})
	require.ErrorIs(t, err, backend.ErrOverloaded)
	for i := range 5 {
		require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(time.Hour), "t", wire("later", i)))
	}
	require.ErrorIs(t, b.PublishAt(t.Context(), time.Now().Add(time.Hour), "t", wire("later", 5)), backend.ErrOverloaded)
}

func TestACallerWhoGoesInTimeIsLeftOut(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	release, err := sqlite.Hold(b)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() {
		_, err := b.Store(ctx, backend.Record{ID: "gone", Body: backend.Bytes("1")})
		errs <- err
	}()
	eventually(t, func() bool { return sqlite.Queued(b) == 1 }, "it waits")
	cancel()
	require.ErrorIs(t, <-errs, context.Canceled)
	_, err = b.Store(ctx, backend.Record{ID: "gone", Body: backend.Bytes("1")})
	require.ErrorIs(t, err, context.Canceled)
	release()
	_, err = b.Store(t.Context(), backend.Record{ID: "stays", Body: backend.Bytes("1")})
	require.NoError(t, err)
	_, err = b.Load(t.Context(), "gone")
	require.ErrorIs(t, err, backend.ErrNotFound)
}

// Once it is being written, a caller learns what became of it.
func TestACallerWhoGoesTooLateIsToldTheOutcome(t *testing.T) {
	t.Parallel()
	file := path(t)
	d := newDisk(t, file)
	b := d.open(file, 4000)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	publish(t, b, "t", "k", 0, 1)
	ctx, cancel := context.WithCancel(t.Context())
	d.failing(func(kind, _ string) int32 {
		if kind == "sync" {
			cancel()
			time.Sleep(20 * time.Millisecond)
		}
		return lib.SQLITE_OK
	})
	_, err := b.Store(ctx, backend.Record{ID: "id", Body: backend.Bytes("1")})
	require.NoError(t, err)
	require.Error(t, ctx.Err())
	d.failing(nil)
	_, err = b.Load(t.Context(), "id")
	require.NoError(t, err)
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	release, err := sqlite.Hold(b)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	var canceled atomic.Int64
	const n = 1500
	for i := range n {
		callers.Go(func() {
			if err := b.PublishAt(ctx, time.Time{}, "t", wire("k", i)); errors.Is(err, context.Canceled) {
				canceled.Add(1)
			}
		})
	}
	eventually(t, func() bool { return sqlite.Queued(b) == 1024 }, "the queue is full")
	cancel()
	callers.Wait()
	require.EqualValues(t, n, canceled.Load())
	release()
	require.Zero(t, lagOfNew(t, b))
}

// What a call said before or while the backend was closed is what is in the
// file.
func TestClosingUnderLoad(t *testing.T) {
	t.Parallel()
	for range 5 {
		file := path(t)
		b := sqlite.Open(file)
		_, err := b.Publisher()
		require.NoError(t, err)
		var callers sync.WaitGroup
		var stored sync.Map
		var wrong atomic.Pointer[error]
		for c := range 16 {
			callers.Go(func() {
				for i := 0; ; i++ {
					id := strconv.Itoa(c) + "-" + strconv.Itoa(i)
					_, err := b.Store(context.Background(), backend.Record{ID: id, Body: backend.Bytes(id)})
					if err != nil {
						wrong.CompareAndSwap(nil, &err)
						return
					}
					stored.Store(id, true)
				}
			})
		}
		eventually(t, func() bool {
			_, ok := stored.Load("3-20")
			return ok
		}, "they are at it")
		require.NoError(t, b.Close())
		callers.Wait()
		require.ErrorIs(t, *wrong.Load(), backend.ErrClosed)
		b = open(t, file)
		stored.Range(func(id, _ any) bool {
			_, err := b.Load(t.Context(), id.(string))
			require.NoError(t, err)
			return true
		})
	}
}

// What an operation has written is taken back if it fails, also where it was
// written by a query.
func TestAnOperationThatFailsHalfWay(t *testing.T) {
	t.Parallel()
	b := open(t, path(t))
	store(t, b, backend.Record{ID: "stays"})
	require.ErrorIs(t, sqlite.DropAndFail(b, "stays", errFailed), errFailed)
	require.Equal(t, "stays", bodyOf(t, b, "stays"))
}

// Rows of several operations go into a table together. That one of them cannot
// is a matter of its operation, whichever comes next.
func TestAConflictIsNobodyElses(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(b *sqlite.Backend) error{
		"nothing": func(*sqlite.Backend) error { return nil },
		"another record": func(b *sqlite.Backend) error {
			_, err := b.Store(t.Context(), backend.Record{ID: "new", Body: backend.Bytes("1")})
			return err
		},
		"a change": func(b *sqlite.Backend) error {
			_, err := b.Store(t.Context(), backend.Record{ID: "other", Revision: 1, Body: backend.Bytes("2")})
			return err
		},
		"deleting": func(b *sqlite.Backend) error { return b.Delete(t.Context(), "other", 1) },
		"a message": func(b *sqlite.Backend) error {
			return b.PublishAt(t.Context(), time.Time{}, "t", wire("k", 2))
		},
		"a group": func(b *sqlite.Backend) error { return b.Fix(t.Context(), "t", "g", backend.FromOldest()) },
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t, path(t))
			store(t, b, backend.Record{ID: "there"})
			store(t, b, backend.Record{ID: "other"})
			publish(t, b, "t", "k", 0, 1) // the topic is there
			release, err := sqlite.Hold(b)
			require.NoError(t, err)
			var calls sync.WaitGroup
			var first, second error
			calls.Go(func() {
				_, first = b.Commit(t.Context(), backend.Record{ID: "there", Body: backend.Bytes("1")},
					[]backend.Publication{{Topic: "t", Message: wire("k", 1)}})
			})
			eventually(t, func() bool { return sqlite.Queued(b) == 1 }, "it waits")
			calls.Go(func() { second = next(b) })
			if name != "nothing" {
				eventually(t, func() bool { return sqlite.Queued(b) == 2 }, "both wait")
			}
			release()
			calls.Wait()
			require.ErrorIs(t, first, backend.ErrConflict)
			require.NoError(t, second)
			want := 1
			if name == "a message" {
				want = 2
			}
			require.EqualValues(t, want, lagOfNew(t, b))
		})
	}
}
