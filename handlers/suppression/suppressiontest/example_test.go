package suppressiontest_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/suppression"
	"github.com/seed-6c01d079/notify/handlers/suppression/suppressiontest"
)

// A store's test calls the suite, and gives it a new and empty store each time.
func Example() {
	_ = func(t *testing.T) { // TestStore of the store's package
		suppressiontest.TestStore(t, func(*testing.T) suppression.Store { return suppression.NewMemory() })
	}
	// Output:
}
