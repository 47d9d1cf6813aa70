package sqlite_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Another SQLite than ours reads the file while it is in use.
func TestTheShellReadsAlong(t *testing.T) {
	t.Parallel()
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		t.Skip("there is no sqlite3 shell here: on Debian, apt-get install sqlite3")
	}
	file := path(t)
	b := open(t, file)
	publish(t, b, "t", "k", 0, 3)
	run := func(query string) string {
		out, err := exec.Command(shell, "-readonly", file, query).CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.TrimSpace(string(out))
	}
	require.Equal(t, "0|k/0|k|0\n1|k/1|k|1\n2|k/2|k|2", run("SELECT position, uuid, key, payload FROM log WHERE topic = 't'"))
	require.Equal(t, "ok", run("PRAGMA integrity_check"))
	publish(t, b, "t", "k", 3, 4)
	require.Equal(t, "4", run("SELECT count(*) FROM log"))
}
