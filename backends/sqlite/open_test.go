package sqlite_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// refusal is what opening the file fails with.
func refusal(t testing.TB, file string, opts ...func(*sqlite.Config)) error {
	t.Helper()
	b := sqlite.Open(file, opts...)
	_, err := b.Publisher()
	require.Error(t, err)
	require.NoError(t, b.Close())
	_, err2 := notify.New(notify.Config{Backend: sqlite.Open(file, opts...)})
	require.ErrorContains(t, err2, err.Error())
	return err
}

// query runs statements on the file, as somebody else's program.
func query(t testing.TB, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	for _, s := range statements {
		_, err := db.Exec(s)
		require.NoError(t, err)
	}
}

func TestPathsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.ErrorContains(t, refusal(t, ""), "the path is empty: name a file")
	require.ErrorContains(t, refusal(t, ":memory:"), "backends/memory")
	require.ErrorContains(t, refusal(t, "file:notify.db?mode=rw"), "name a file, such as notify.db, without options")
	require.ErrorContains(t, refusal(t, dir), "name one, such as "+filepath.Join(dir, "notify.db"))
	require.ErrorContains(t, refusal(t, filepath.Join(dir, "missing", "notify.db")), "make the directory first")
}

func TestAnyNameWillDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a?mode=ro", "a#b%20c &d", "Grüße.db"} {
		b := open(t, filepath.Join(dir, name))
		publish(t, b, "t", "k", 0, 1)
		require.FileExists(t, filepath.Join(dir, name))
	}
}

func TestAConfigThatMakesNoSense(t *testing.T) {
	t.Parallel()
	err := refusal(t, path(t), func(c *sqlite.Config) { c.MaxWork, c.RetainFor, c.MaxTimeline = -1, -time.Second, -2 })
	for _, field := range []string{"MaxWork -1", "RetainFor -1s", "MaxTimeline -2"} {
		require.ErrorContains(t, err, field)
	}
}

func TestFilesOfOthers(t *testing.T) {
	t.Parallel()
	text := path(t)
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("no database ", 200)), 0o600))
	require.ErrorContains(t, refusal(t, text), "no SQLite database")

	other := path(t)
	query(t, other, "CREATE TABLE customers (id INTEGER)")
	before, err := os.ReadFile(other)
	require.NoError(t, err)
	require.ErrorContains(t, refusal(t, other), "a database of another program")
	after, err := os.ReadFile(other)
	require.NoError(t, err)
	require.Equal(t, before, after, "it was not touched")

	marked := path(t)
	query(t, marked, "PRAGMA application_id = 77")
	require.ErrorContains(t, refusal(t, marked), "application_id 0x4d")
}

func TestANewerSchema(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	publish(t, b, "t", "k", 0, 1)
	require.NoError(t, b.Close())
	query(t, file, fmt.Sprint("PRAGMA user_version = ", sqlite.Version+1))
	require.ErrorContains(t, refusal(t, file),
		fmt.Sprintf("the file has schema %d, and this program knows no newer than %d: update the program", sqlite.Version+1, sqlite.Version))
	query(t, file, fmt.Sprint("PRAGMA user_version = ", sqlite.Version))
	require.EqualValues(t, 1, lagOfNew(t, open(t, file)))
}

// lagOfNew is how many messages a new group would get.
func lagOfNew(t testing.TB, b *sqlite.Backend) int64 {
	t.Helper()
	require.NoError(t, b.Fix(t.Context(), "t", "new", backend.FromOldest()))
	return lag(t, b, "t", "new")
}

func TestOnlyTheOwnerMayReadTheFile(t *testing.T) {
	t.Parallel()
	file := path(t)
	publish(t, open(t, file), "t", "k", 0, 1)
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(file + suffix)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
	}
}

func TestASecondBackendIsRefused(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	link := filepath.Join(t.TempDir(), "link.db")
	require.NoError(t, os.Symlink(file, link))
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, name := range []string{file, link} {
		err := refusal(t, name)
		require.ErrorIs(t, err, sqlite.ErrLocked)
		require.ErrorContains(t, err, fmt.Sprintf("process %d on host %s since %d", os.Getpid(), host, time.Now().UTC().Year()))
	}
	publish(t, b, "t", "k", 0, 1) // the first goes on
	require.NoError(t, b.Close())
	open(t, file)
}

// What keeps a Notifier from its backend is said once, however much the
// Notifier wants of it.
func TestANotifierWithoutItsFile(t *testing.T) {
	t.Parallel()
	closed := sqlite.Open(path(t))
	require.NoError(t, closed.Close())
	for problem, b := range map[string]*sqlite.Backend{
		"make the directory first": sqlite.Open(filepath.Join(t.TempDir(), "none", "notify.db")),
		"is closed: a Notifier closes its backend when it ends, unless Config.KeepBackend is set; make another one": closed,
	} {
		_, err := notify.New(notify.Config{Backend: b})
		found := notify.FieldErrors(err)
		require.Len(t, found, 1, err)
		require.Equal(t, "Config.Backend", found[0].Field)
		require.ErrorContains(t, err, problem)
		require.NoError(t, b.Close())
	}
}

// A backend that was refused can be used once the file is free.
func TestOpeningIsTriedAgain(t *testing.T) {
	t.Parallel()
	file := path(t)
	first := open(t, file)
	second := sqlite.Open(file)
	_, err := second.Load(t.Context(), "id")
	require.ErrorIs(t, err, sqlite.ErrLocked)
	require.NoError(t, first.Close())
	_, err = second.Load(t.Context(), "id")
	require.ErrorIs(t, err, backend.ErrNotFound)
	require.NoError(t, second.Close())
}

// holds is a process that has the file until it is killed.
func holds(file string) error {
	if _, err := sqlite.Open(file).Publisher(); err != nil {
		return err
	}
	fmt.Println("open")
	select {}
}

func TestALockEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	file := path(t)
	holder := process("holds", file)
	out, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	_, err = out.Read(make([]byte, 5))
	require.NoError(t, err)
	err = refusal(t, file)
	require.ErrorIs(t, err, sqlite.ErrLocked)
	require.ErrorContains(t, err, "process "+strconv.Itoa(holder.Process.Pid)+" on host ")
	require.NoError(t, holder.Process.Kill())
	require.Error(t, holder.Wait())
	publish(t, open(t, file), "t", "k", 0, 1)
}

// Callers are told after five seconds, and go on once it is over.
func TestSomebodyElseWrites(t *testing.T) {
	t.Parallel()
	file := path(t)
	b := open(t, file)
	db, err := sql.Open("sqlite", file)
	require.NoError(t, err)
	defer db.Close()
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.ErrorContains(t, pub.Publish("t", wire("k", 0)), "another program writes to the file")
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, pub.Publish("t", wire("k", 0)))
	require.EqualValues(t, 1, lagOfNew(t, b))
}
