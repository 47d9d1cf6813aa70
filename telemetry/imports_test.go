package telemetry_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestImports keeps this package to the library, which is not to import it, and to
// OpenTelemetry: no exporter, no test helper.
func TestImports(t *testing.T) {
	t.Parallel()
	const module = "github.com/seed-6c01d079/notify"
	library := deps(t, module)
	for _, dep := range library {
		require.NotContains(t, dep, "opentelemetry")
	}
	allowed := append(library, module+"/telemetry")
	for _, dep := range deps(t, module+"/telemetry") {
		ok := strings.HasPrefix(dep, "go.opentelemetry.io/") && !strings.Contains(dep, "/exporters/")
		for _, other := range []string{"github.com/go-logr/", "github.com/cespare/xxhash/v2", "golang.org/x/sys/"} { // the SDK's
			ok = ok || strings.HasPrefix(dep, other)
		}
		for _, other := range allowed {
			ok = ok || dep == other
		}
		require.True(t, ok, "telemetry must not import %s", dep)
	}
}

// deps lists what a package imports, directly or not, outside the standard
// library.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", pkg).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.Fields(string(out))
}
