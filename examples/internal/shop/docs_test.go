package shop

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/notifytest"
)

// The pages about the shop, and the diagram in the README, are what the program
// is. NOTIFY_UPDATE_DOCS=1 go test -run TestDocs . rewrites the pages.
func TestDocs(t *testing.T) {
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, n.Close(t.Context())) }()
	register(n, Mail{Server: "localhost:25", From: "shop@example.com"}, &screen{out: io.Discard}, timeline.NewMemory(), nil)
	notifytest.RequireDocs(t, n, "../../../docs/quickstart")
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), "```mermaid\n"+n.Topology().Mermaid()+"```\n")
}
