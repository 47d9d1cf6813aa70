package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "server")
	if err != nil {
		panic(err)
	}
	build = sync.OnceValues(func() (string, error) {
		file := filepath.Join(dir, "server")
		if out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return file, nil
	})
	cleanup := goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	})
	goleak.VerifyTestMain(m, cleanup)
}

// build builds the program, once, and returns its path.
var build func() (string, error)
