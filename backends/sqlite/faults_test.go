package sqlite_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	lib "modernc.org/sqlite/lib"

	"github.com/seed-6c01d079/notify/backend"
)

// What the disk may do, and to which calls.
var faults = map[string]struct {
	kind string
	code int32
	says string
}{
	"full":             {"write", lib.SQLITE_FULL, "full"},
	"unwritable":       {"write", lib.SQLITE_IOERR_WRITE, "I/O error"},
	"unable to sync":   {"sync", lib.SQLITE_IOERR_FSYNC, "I/O error"},
	"unable to shrink": {"truncate", lib.SQLITE_IOERR_TRUNCATE, ""},
}

// A caller is told, nothing is acknowledged that is not there, what was
// acknowledged before stays, and it goes on when the disk is well again.
func TestADiskThatFails(t *testing.T) {
	t.Parallel()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := path(t)
			d := newDisk(t, file)
			b := d.open(file, 40, quiet)
			t.Cleanup(func() { require.NoError(t, b.Close()) })
			g := consume(t, b, "t", "g", nil)
			acked, refused := map[string]bool{}, map[string]bool{}
			try := func(from, to int) (failed error) {
				for i := from; i < to; i++ {
					id := strconv.Itoa(i)
					_, err := b.Commit(t.Context(), backend.Record{ID: id, Body: backend.Bytes(id)}, []backend.Publication{{Topic: "t", Message: wire("k", i)}})
					if err != nil {
						failed = err
						refused[id] = true
					} else {
						acked[id] = true
					}
				}
				return failed
			}
			for round := range 3 {
				at := 100 * round
				require.NoError(t, try(at, at+50))
				d.failing(func(kind, _ string) int32 {
					if kind == fault.kind {
						return fault.code
					}
					return lib.SQLITE_OK
				})
				err := try(at+50, at+60)
				if fault.says != "" {
					require.ErrorContains(t, err, fault.says)
					require.Len(t, refused, 10*(round+1))
				}
				// Reading needs no disk space.
				r, err := b.Load(t.Context(), strconv.Itoa(at))
				require.NoError(t, err)
				require.EqualValues(t, 1, r.Revision)
				_, err = b.Load(t.Context(), strconv.Itoa(at+55))
				if fault.says != "" {
					require.ErrorIs(t, err, backend.ErrNotFound)
				}
				d.failing(nil)
				require.NoError(t, try(at+60, at+100), "it goes on")
			}
			catchUp(t, b, "t", "g")
			g.leave()
			require.Len(t, g.got(), len(acked))
			require.EqualValues(t, len(acked), lagOfNew(t, b), "positions have no gaps")
			require.NoError(t, b.Close())
			require.Equal(t, acked, soundRecords(t, file))
		})
	}
}

// soundRecords are the records of a file that is whole, each of which has its
// message.
func soundRecords(t testing.TB, file string) map[string]bool {
	t.Helper()
	b := open(t, file)
	found := map[string]bool{}
	g := consume(t, b, "t", "all", nil)
	catchUp(t, b, "t", "all")
	g.leave()
	for _, uuid := range g.got() {
		id := uuid[len("k/"):]
		_, err := b.Load(context.Background(), id)
		require.NoError(t, err)
		found[id] = true
	}
	require.NoError(t, b.Close())
	return found
}

// A position that could not be written is written later: nothing is lost by
// it, and Close says so if it cannot be written at all.
func TestPositionsOnADiskThatFails(t *testing.T) {
	t.Parallel()
	file := path(t)
	d := newDisk(t, file)
	b := d.open(file, 40, quiet)
	t.Cleanup(func() { _ = b.Close() })
	publish(t, b, "t", "k", 0, 10)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var tries atomic.Int64
	d.failing(func(kind, _ string) int32 {
		if kind == "write" {
			tries.Add(1)
			return lib.SQLITE_FULL
		}
		return lib.SQLITE_OK
	})
	g := consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	eventually(t, func() bool { return tries.Load() > 0 }, "the position is to be written")
	d.failing(nil)
	publish(t, b, "t", "k", 10, 11)
	catchUp(t, b, "t", "g")
	require.Equal(t, uuids("k", 0, 11), g.got())
	d.failing(func(string, string) int32 { return lib.SQLITE_FULL })
	g.leave() // when that was is to be written
	require.ErrorContains(t, b.Close(), "full")
	require.ErrorContains(t, b.Close(), "full", "again")
}

// A position that could not be written is written once it can be, whether
// anything else happens or not.
func TestPositionsAreTriedAgain(t *testing.T) {
	t.Parallel()
	file := path(t)
	d := newDisk(t, file)
	b := d.open(file, 4000, quiet)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	publish(t, b, "t", "k", 0, 10)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	var tries atomic.Int64
	d.failing(func(kind, _ string) int32 {
		if kind == "write" {
			tries.Add(1)
			return lib.SQLITE_FULL
		}
		return lib.SQLITE_OK
	})
	g := consume(t, b, "t", "g", nil)
	catchUp(t, b, "t", "g")
	eventually(t, func() bool { return tries.Load() > 0 }, "the position is to be written")
	d.failing(nil)
	eventually(t, func() bool { return number(t, file, "SELECT next FROM positions") == 10 }, "it has been written")
	g.leave()
}

// Who wrote too much for a disk learns that it is full, not what came of trying
// to go on.
func TestADiskThatIsFullHalfWay(t *testing.T) {
	t.Parallel()
	file := path(t)
	d := newDisk(t, file)
	b := d.open(file, 4000, quiet)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	publish(t, b, "t", "k", 0, 1)
	d.failing(func(kind, _ string) int32 {
		if kind == "write" {
			return lib.SQLITE_FULL
		}
		return lib.SQLITE_OK
	})
	pub, err := b.Publisher()
	require.NoError(t, err)
	var large []*message.Message // more than what is kept in memory of a transaction
	for n := range 24 {
		m := wire("k", n)
		m.Payload = make([]byte, 1<<20)
		large = append(large, m)
	}
	require.ErrorContains(t, pub.Publish("t", large...), "full")
	d.failing(nil)
	publish(t, b, "t", "k", 1, 2)
	require.EqualValues(t, 2, lagOfNew(t, b))
}
