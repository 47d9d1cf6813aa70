package notifytest

import (
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-6c01d079/notify"
)

// UpdateVariable is the environment variable that has [RequireDocs] write the
// pages, if it is not empty.
const UpdateVariable = "NOTIFY_UPDATE_DOCS"

// RequireDocs fails the test if the pages about n in the directory differ from
// what [topology.Graph.Pages] says of the program as it is: who handles what is
// then reviewed with each change. Register everything on n first, as the program
// does; it need not run.
//
//	func TestDocs(t *testing.T) {
//		n, err := notify.New(notify.Config{})
//		require.NoError(t, err)
//		register(n) // what main calls too
//		notifytest.RequireDocs(t, n, "docs/")
//	}
//
// The pages are written instead if the environment has [UpdateVariable], or if
// the test binary has a flag "update" of its own, which is set:
//
//	NOTIFY_UPDATE_DOCS=1 go test -run TestDocs .
//	go test -run TestDocs . -update // with var _ = flag.Bool("update", false, "rewrite docs/") in a test file
//
// Other files in the directory are left alone.
func RequireDocs(t testing.TB, n *notify.Notifier, dir string) {
	t.Helper()
	pages := n.Topology().Pages()
	update := updating()
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		file := filepath.Join(dir, name)
		if update {
			if err := writePage(file, pages[name]); err != nil {
				t.Errorf("%v", err)
			}
			continue
		}
		committed, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.Errorf("%s does not exist: run this test with %s=1, and commit it", file, UpdateVariable)
		case err != nil:
			t.Errorf("%v", err)
		default:
			if diff := firstDifference(string(committed), pages[name]); diff != "" {
				t.Errorf("%s differs from the program: %s\nIf that is meant, run this test with %s=1, and commit it.", file, diff, UpdateVariable)
			}
		}
	}
}

func updating() bool {
	if os.Getenv(UpdateVariable) != "" {
		return true
	}
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func writePage(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// firstDifference describes the first line in which the page differs, or is
// empty. Line ends may be those of Windows.
func firstDifference(committed, want string) string {
	was, is := lines(committed), lines(want)
	for i := range max(len(was), len(is)) {
		switch {
		case i >= len(was):
			return "it lacks\n    + " + is[i]
		case i >= len(is):
			return "it has more\n    - " + was[i]
		case was[i] != is[i]:
			return "\n    - " + was[i] + "\n    + " + is[i]
		}
	}
	return ""
}

func lines(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
}
