package sqlite_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

// smallDisk is a directory on a file system of its own with that many bytes.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("notify", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		t.Skipf("a file system of a few megabytes cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

// On a disk that is really full a caller is told, nothing is acknowledged that
// is not there, and it goes on once there is space.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 6<<20)
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600))
	file := filepath.Join(dir, "notify.db")
	b := open(t, file, quiet)
	acked := map[string]bool{}
	commit := func(i int) error {
		id := strconv.Itoa(i)
		_, err := b.Commit(t.Context(), backend.Record{ID: id, Body: backend.Bytes(strings.Repeat("x", 4000))},
			[]backend.Publication{{Topic: "t", Message: wire("k", i)}})
		if err == nil {
			acked[id] = true
		}
		return err
	}
	next := 0
	for ; commit(next) == nil; next++ {
		require.Less(t, next, 6<<20/4000, "the disk has to get full")
	}
	require.ErrorContains(t, commit(next+1), "full")
	_, err := b.Load(t.Context(), "0")
	require.NoError(t, err, "reading needs no space")
	_, err = b.Load(t.Context(), strconv.Itoa(next))
	require.ErrorIs(t, err, backend.ErrNotFound)

	require.NoError(t, os.Remove(ballast))
	for i := range 10 {
		require.NoError(t, commit(next+2+i), "it goes on")
	}
	require.NoError(t, b.Close())
	require.Equal(t, acked, soundRecords(t, file))
}
