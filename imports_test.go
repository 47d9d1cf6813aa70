package notify_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/seed-6c01d079/notify"

// TestImports keeps the direction of dependencies: what each package may
// import, directly or not, besides the standard library and what lies below it.
func TestImports(t *testing.T) {
	t.Parallel()
	watermill := []string{
		"github.com/ThreeDotsLabs/watermill",
		"github.com/ThreeDotsLabs/watermill/message",
		"github.com/ThreeDotsLabs/watermill/internal",
		"github.com/ThreeDotsLabs/watermill/pubsub/sync",
		"github.com/lithammer/shortuuid/v3", "github.com/oklog/ulid", "github.com/google/uuid", "github.com/pkg/errors",
	}
	memory := append([]string{module + "/backend", module + "/backend/presence", module + "/backend/subscription", module + "/internal/fanout"}, watermill...)
	root := append([]string{
		module + "/backends/memory",
		module + "/topology",
		module + "/internal/e164", module + "/internal/gsm",
		"github.com/ThreeDotsLabs/watermill/message/router",
		"github.com/sony/gobreaker/v2",
		"golang.org/x/time/rate",
	}, memory...)
	handlers := append([]string{module, module + "/handlers/internal/attach", module + "/handlers/internal/event"}, root...)
	for _, one := range []struct {
		pkg     string
		allowed []string
	}{
		{module + "/backend", watermill},
		{module + "/internal/fanout", memory},
		{module + "/backend/window", memory},
		{module + "/backend/subscription", memory},
		{module + "/backend/presence", nil},
		{module + "/backends/memory", memory},
		{module + "/topology", nil},
		{module, root},
		{module + "/handlers/timeline", handlers},
		{module + "/handlers/timeline/timelinehttp", append([]string{module + "/handlers/timeline"}, handlers...)},
		{module + "/handlers/logs", handlers},
		{module + "/handlers/forward", handlers},
		{module + "/handlers/trigger", handlers},
		{module + "/handlers/cache", handlers},
		{module + "/handlers/suppression", handlers},
		{module + "/handlers/settle", handlers},
		{module + "/handlers/webhook", handlers},
		{module + "/handlers/cost", handlers},
	} {
		for _, dep := range deps(t, one.pkg) {
			require.True(t, dep == one.pkg || allowed(dep, one.allowed), "%s must not import %s", one.pkg, dep)
		}
	}
}

func allowed(dep string, roots []string) bool {
	for _, root := range roots {
		if dep == root || dep != module && strings.HasPrefix(dep, root+"/internal") ||
			strings.HasPrefix(root, "github.com/ThreeDotsLabs/watermill/message/router") && strings.HasPrefix(dep, root) {
			return true
		}
	}
	return false
}

// TestNothingImportsTestHelpers keeps notifytest, and what tests use, out of
// programs.
func TestNothingImportsTestHelpers(t *testing.T) {
	t.Parallel()
	packages := []string{module, module + "/backends/memory", module + "/topology"}
	for _, name := range []string{"timeline", "timeline/timelinehttp", "logs", "forward", "trigger", "cache", "suppression", "webhook", "cost"} {
		packages = append(packages, module+"/handlers/"+name)
	}
	for _, pkg := range packages {
		for _, dep := range deps(t, pkg) {
			for _, helper := range []string{module + "/notifytest", "github.com/stretchr/", "go.uber.org/goleak", "pgregory.net/rapid", "testing"} {
				require.False(t, strings.HasPrefix(dep, helper), "%s imports %s", pkg, dep)
			}
		}
	}
}

// deps lists what a package imports, directly or not, outside the standard
// library; and "testing" if it imports that.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if or (not .Standard) (eq .ImportPath \"testing\")}}{{.ImportPath}}{{end}}", pkg).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.Fields(string(out))
}
