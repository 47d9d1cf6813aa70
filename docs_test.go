package notify_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	goFiles  = regexp.MustCompile("`([a-z_*/]+\\.go)`")
	links    = regexp.MustCompile(`\]\(([^)#]*)(#[^)]*)?\)`)
	headings = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unlinked = regexp.MustCompile("[^a-z0-9 _-]")
	fences   = regexp.MustCompile("(?s)```.*?```")
)

// TestDocsNameWhatIsThere finds files and headings that a page names and that
// are gone.
func TestDocsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	var pages []string
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			pages = append(pages, path)
		}
		return err
	}))
	require.Contains(t, pages, "README.md")
	require.Contains(t, pages, "docs/handlers.md")
	for _, page := range pages {
		text := readPage(t, page)
		if dir := filepath.Dir(page); dir == "." || dir == "docs" {
			for _, name := range goFiles.FindAllStringSubmatch(text, -1) {
				found, err := filepath.Glob(name[1])
				require.NoError(t, err)
				require.NotEmpty(t, found, "%s names %s", page, name[1])
			}
		}
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			target := page
			if link[1] != "" {
				target = filepath.Join(filepath.Dir(page), link[1])
			}
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", page, link[1])
			if link[2] != "" {
				require.Contains(t, anchors(readPage(t, target)), link[2], "%s links to %s", page, target)
			}
		}
	}
}

// readPage returns a page without its blocks of code.
func readPage(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	return fences.ReplaceAllString(string(text), "")
}

// anchors returns what GitHub makes of a page's headings.
func anchors(page string) []string {
	var all []string
	for _, heading := range headings.FindAllStringSubmatch(page, -1) {
		name := unlinked.ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, "#"+strings.ReplaceAll(name, " ", "-"))
	}
	return all
}
