package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	consoles = regexp.MustCompile("(?s)```console\n(.*?)```")
	// varying is what is another in each run.
	varying = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z|"message_id":"[^"]*"`)
)

// What the README shows is what its commands print.
func TestReadme(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	p := start(t, "-db", filepath.Join(t.TempDir(), "notify.db"))
	commands := 0
	for _, block := range consoles.FindAllSubmatch(text, -1) {
		for _, one := range strings.Split("\n"+string(block[1]), "\n$ ")[1:] {
			command, want := splitCommand(one)
			command = strings.ReplaceAll(command, "http://127.0.0.1:8080", p.url)
			got, err := exec.CommandContext(t.Context(), "sh", "-c", command).Output()
			require.NoError(t, err, command)
			require.Equal(t, varying.ReplaceAllString(want, "~"), varying.ReplaceAllString(strings.TrimSpace(string(got)), "~"), command)
			commands++
		}
	}
	require.Greater(t, commands, 10)
	p.terminate()
	require.Equal(t, 0, p.code(), p.log.String())
	require.Contains(t, p.out.String(), "subject: Shipped")
}

// The README names every file of the program.
func TestReadmeNamesTheFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			require.Contains(t, string(text), "`"+file+"`")
		}
	}
}

// splitCommand parts a command, of lines that end with a backslash and one more,
// from what it prints.
func splitCommand(text string) (command, output string) {
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		command += line
		if !strings.HasSuffix(line, "\\\n") {
			return command, strings.TrimSpace(strings.Join(lines[i+1:], ""))
		}
	}
	return command, ""
}
