package notifytest

import (
	"testing"

	"github.com/seed-6c01d079/notify"
)

// ProviderCheckNames returns the names of the suite's checks.
func ProviderCheckNames() []string {
	var names []string
	for _, c := range providerChecks[notify.SMS]() {
		names = append(names, c.name)
	}
	return names
}

// RunProviderCheck runs one check of the suite on a test of the caller's.
func RunProviderCheck[M notify.Message](tb testing.TB, name string, h ProviderHarness[M]) {
	for _, c := range providerChecks[M]() {
		if c.name == name {
			c.run(tb, h)
			return
		}
	}
	tb.Fatalf("no check is named %q", name)
}
