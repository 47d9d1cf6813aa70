package notifytest

import "testing"

// BackendCheckNames returns the names of the suite's checks.
func BackendCheckNames() []string {
	var names []string
	for _, c := range backendChecks() {
		names = append(names, c.name)
	}
	return names
}

// RunBackendCheck runs one check of the suite on a test of the caller's.
func RunBackendCheck(tb testing.TB, name string, open func(testing.TB) any, f Features) {
	for _, c := range backendChecks() {
		if c.name == name {
			c.run(tb, open, f)
			return
		}
	}
	tb.Fatalf("no check is named %q", name)
}
