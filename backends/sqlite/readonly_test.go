//go:build !windows

package sqlite_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/sqlite"
)

const readOnlyFile = "NOTIFY_SQLITE_TEST_READONLY"

// TestReadOnly is about permissions, which root does not heed: as root it runs
// itself as somebody else.
func TestReadOnly(t *testing.T) {
	if file := os.Getenv(readOnlyFile); file != "" {
		dir := filepath.Dir(file)
		require.ErrorContains(t, refusal(t, file), "must be able to write to "+file+" and to make files beside it")
		fresh := filepath.Join(dir, "closed", "fresh.db")
		require.ErrorContains(t, refusal(t, fresh), "must be able to write to "+fresh+" and to make files beside it")
		inClosed := filepath.Join(dir, "closed", "notify.db")
		require.ErrorContains(t, refusal(t, inClosed), "must be able to write to "+inClosed+" and to make files beside it")
		return
	}
	t.Parallel()
	// Not below t.TempDir, which is for its owner only.
	dir, err := os.MkdirTemp("", "notify")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, os.Chmod(filepath.Join(dir, "closed"), 0o700))
		require.NoError(t, os.RemoveAll(dir))
	})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "closed"), 0o777))
	for _, name := range []string{filepath.Join(dir, "notify.db"), filepath.Join(dir, "closed", "notify.db")} {
		b := sqlite.Open(name)
		publish(t, b, "t", "k", 0, 1)
		require.NoError(t, b.Close())
		require.NoError(t, os.Remove(name+".lock"))
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "notify.db"), 0o444))
	require.NoError(t, os.Chmod(filepath.Join(dir, "closed"), 0o555))
	require.NoError(t, os.Chmod(dir, 0o777))
	program := filepath.Join(dir, "test")
	data, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, data, 0o755))
	child := exec.Command(program, "-test.run=^TestReadOnly$", "-test.v")
	child.Dir = dir
	child.Env = append(os.Environ(), readOnlyFile+"="+filepath.Join(dir, "notify.db"))
	if os.Getuid() == 0 {
		child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "PASS: TestReadOnly")
}
