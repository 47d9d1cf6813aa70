package notifytest_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
)

func withObserver(t *testing.T, name string) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	notify.On(n, name, func(context.Context, notify.Event[notify.Sent]) error { return nil })
	return n
}

func TestRequireDocs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	look := func(name string) string {
		return record(t, func(tb testing.TB) { notifytest.RequireDocs(tb, withObserver(t, name), dir) })
	}
	require.Contains(t, look("receipts"), "topology.md does not exist: run this test with NOTIFY_UPDATE_DOCS=1")

	t.Setenv(notifytest.UpdateVariable, "1")
	require.Empty(t, look("receipts"))
	t.Setenv(notifytest.UpdateVariable, "")
	require.Empty(t, look("receipts"))
	require.Contains(t, look("bills"), "topology.md differs from the program: \n    -     o0[[\"receipts\"]]\n    +     o0[[\"bills\"]]\n")

	page := filepath.Join(dir, "lifecycle.md")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(page, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600))
	require.Empty(t, look("receipts"), "line ends are not compared")
	require.NoError(t, os.WriteFile(page, text[:len(text)-5], 0o600))
	require.Contains(t, look("receipts"), "lifecycle.md differs")
	require.NoError(t, os.WriteFile(page, append(text, "more\n"...), 0o600))
	require.Contains(t, look("receipts"), "\n    - more\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.md"), []byte("left alone"), 0o600))
	require.NoError(t, os.WriteFile(page, text, 0o600))
	require.Empty(t, look("receipts"))
}

// A test binary's own flag does what the variable does.
func TestRequireDocsWithAFlag(t *testing.T) {
	if flag.Lookup("update") == nil { // with -count, it is there the second time
		flag.Bool("update", false, "rewrite what is committed")
	}
	require.NoError(t, flag.Set("update", "true"))
	defer func() { require.NoError(t, flag.Set("update", "false")) }()
	dir := t.TempDir()
	require.Empty(t, record(t, func(tb testing.TB) { notifytest.RequireDocs(tb, withObserver(t, "receipts"), dir) }))
	require.NoError(t, flag.Set("update", "false"))
	require.Empty(t, record(t, func(tb testing.TB) { notifytest.RequireDocs(tb, withObserver(t, "receipts"), dir) }))
}
