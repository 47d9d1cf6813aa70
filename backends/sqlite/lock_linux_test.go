package sqlite_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process that is being started has every descriptor of its parent until it
// runs, that of the lock too: the file is free all the same once it is closed.
func TestALockEndsWhileAProcessStarts(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	inherited := inherit(t, file+".lock")
	require.NoError(t, b.Close())
	publish(t, open(t, file), "t", "k", 0, 1)
	require.NoError(t, syscall.Close(inherited))
}

// inherit returns another descriptor of the open file, as a new process has it.
func inherit(t *testing.T, file string) int {
	t.Helper()
	const all = "/proc/self/fd"
	entries, err := os.ReadDir(all)
	require.NoError(t, err)
	for _, e := range entries {
		if name, err := os.Readlink(filepath.Join(all, e.Name())); err == nil && name == file {
			fd, err := strconv.Atoi(e.Name())
			require.NoError(t, err)
			fd, err = syscall.Dup(fd)
			require.NoError(t, err)
			return fd
		}
	}
	t.Fatalf("%s is not open", file)
	return 0
}
