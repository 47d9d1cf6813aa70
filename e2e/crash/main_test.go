package main

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if o, ok := ordersOf(); ok {
		exitChild(o)
	}
	goleak.VerifyTestMain(m)
}

// settings are those of a run whose children are this test's program.
func settings(t *testing.T, backend string, kills int) Settings {
	t.Helper()
	dir, err := os.MkdirTemp("", "crash") // t.TempDir's names are too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return Settings{Backend: backend, Kills: kills, Sends: 5, Seed: 1, Program: []string{os.Args[0]}, Dir: dir, Errors: t.Output()}
}
