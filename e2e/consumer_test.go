package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tag that the nested modules require.
const nextTag = "v0.1.0"

// TestConsumer builds and runs the README's program outside the workspace, against the
// modules as this tree would be tagged: from a local repository, through go's
// own resolution of nested modules, without go.work and its replacements.
func TestConsumer(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	program := goBlock.FindSubmatch(readme)
	require.NotEmpty(t, program)
	repo, home, host := t.TempDir(), t.TempDir(), t.TempDir()
	copyTree(t, root, repo)
	git(t, repo, "init", "-q", "-b", "main")
	git(t, repo, "add", "-A")
	git(t, repo, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m", "tree")
	git(t, repo, "tag", nextTag)
	git(t, repo, "tag", "providers/"+nextTag)

	require.NoError(t, os.WriteFile(filepath.Join(host, "main.go"), program[1], 0o600))
	cache := strings.TrimSpace(run(t, root, nil, "go", "env", "GOMODCACHE"))
	env := append(os.Environ(),
		"GOWORK=off", "GOFLAGS=-mod=mod -modcacherw", "GOMODCACHE="+filepath.Join(home, "mod"),
		// Everything else comes from what this machine has downloaded.
		"GOPROXY=file://"+filepath.Join(cache, "cache", "download"),
		"GOPRIVATE=github.com/seed-6c01d079/notify", "GOSUMDB=off",
		"GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=url.file://"+repo+".insteadOf",
		"GIT_CONFIG_VALUE_0=https://github.com/seed-6c01d079/notify",
		"GIT_ALLOW_PROTOCOL=file", "GOVCS=*:git",
	)
	run(t, host, env, "go", "mod", "init", "example.com/host")
	run(t, host, env, "go", "get",
		"github.com/seed-6c01d079/notify@"+nextTag, "github.com/seed-6c01d079/notify/providers@"+nextTag)
	out := run(t, host, env, "go", "run", ".")
	require.Contains(t, out, "settled: sent")
	mod, err := os.ReadFile(filepath.Join(host, "go.mod"))
	require.NoError(t, err)
	require.NotContains(t, string(mod), "replace")
	require.NotContains(t, string(mod), "testify", "a host gets no test libraries")
}

// copyTree copies what git tracks, and what it would.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	for _, file := range strings.Split(strings.TrimSpace(run(t, from, nil, "git", "ls-files", "-co", "--exclude-standard")), "\n") {
		data, err := os.ReadFile(filepath.Join(from, file))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		target := filepath.Join(to, file)
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o700))
		require.NoError(t, os.WriteFile(target, data, 0o600))
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	run(t, dir, nil, "git", args...)
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s %s\n%s%s", name, strings.Join(args, " "), stdout.String(), stderr.String())
	return stdout.String()
}
