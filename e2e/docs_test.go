package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the examples of the pages use and do not declare.
const prelude = `package docs

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/cache"
	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/handlers/forward"
	"github.com/seed-6c01d079/notify/handlers/logs"
	"github.com/seed-6c01d079/notify/handlers/settle"
	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinehttp"
	"github.com/seed-6c01d079/notify/handlers/trigger"
	"github.com/seed-6c01d079/notify/handlers/webhook"
	"github.com/seed-6c01d079/notify/providers/smtp"
	"github.com/seed-6c01d079/notify/telemetry"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

`

const scope = `func _(ctx context.Context, n *notify.Notifier, err error, key []byte, book cost.Book,
	publisher message.Publisher, invalidator cache.Invalidator, m metric.MeterProvider, t trace.TracerProvider) {
`

var (
	goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")
	store   = regexp.MustCompile(`(\w+)\.New\(store`)
	attach  = regexp.MustCompile("`((?:[a-z]+ := [a-z.]+\\([^`]*; )?n\\.Attach\\([^`]*)`")
	// An example is a part of a program.
	tolerated = regexp.MustCompile(`declared and not used: |imported and not used|is not used$|^#|too many errors`)
)

// TestTheExamplesOfThePagesCompile checks the README's blocks and the calls that
// docs/handlers.md quotes.
func TestTheExamplesOfThePagesCompile(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var examples []string
	for _, block := range goBlock.FindAllStringSubmatch(string(readme), -1) {
		if !strings.HasPrefix(block[1], "package ") { // TestConsumer runs that
			examples = append(examples, block[1])
		}
	}
	require.NotEmpty(t, examples)
	handlers, err := os.ReadFile("../docs/handlers.md")
	require.NoError(t, err)
	quoted := attach.FindAllStringSubmatch(string(handlers), -1)
	require.NotEmpty(t, quoted)
	for _, code := range quoted {
		if !strings.Contains(code[1], "...") {
			// Each package has a store in memory.
			examples = append(examples, store.ReplaceAllString(code[1], "$1.New($1.NewMemory()"))
		}
	}
	require.Empty(t, compileExamples(t, examples))
	require.Contains(t, compileExamples(t, []string{"n.Sned(ctx)"}), "Sned", "what is wrong is found")
}

// compileExamples returns the compiler's errors.
func compileExamples(t *testing.T, examples []string) string {
	t.Helper()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	overlay := map[string]string{}
	for i, example := range examples {
		file := filepath.Join(dir, fmt.Sprintf("example%d.go", i))
		code := "//line example:1\n" + example
		if !strings.HasPrefix(example, "type ") {
			code = scope + "{\n" + code + "\n}\n}\n"
		}
		require.NoError(t, os.WriteFile(file, []byte(prelude+code), 0o600))
		overlay[filepath.Join(root, "e2e", "docs", filepath.Base(file))] = file
	}
	replace, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), replace, 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-overlay", filepath.Join(dir, "overlay.json"), "./e2e/docs")
	build.Dir = root
	build.Env = append(os.Environ(), "GOWORK="+filepath.Join(root, "go.work"), "GOFLAGS=")
	out, _ := build.CombinedOutput()
	var wrong []string
	for line := range strings.Lines(string(out)) {
		if !tolerated.MatchString(strings.TrimSpace(line)) {
			wrong = append(wrong, line)
		}
	}
	return strings.Join(wrong, "")
}
