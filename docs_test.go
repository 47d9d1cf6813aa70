package notify_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	goFiles = regexp.MustCompile("`([a-z_*/]+\\.go)`")
	links   = regexp.MustCompile(`\]\(([^)#]+)`)
)

// TestDocsNameWhatIsThere finds files that a page names and that are gone.
func TestDocsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "README.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range goFiles.FindAllStringSubmatch(string(text), -1) {
			found, err := filepath.Glob(name[1])
			require.NoError(t, err)
			require.NotEmpty(t, found, "%s names %s", page, name[1])
		}
		for _, link := range links.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(link[1], "://") {
				require.FileExists(t, filepath.Join(filepath.Dir(page), link[1]), "%s links to %s", page, link[1])
			}
		}
	}
}
