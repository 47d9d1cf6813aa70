package costtest_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/cost"
	"github.com/seed-6c01d079/notify/handlers/cost/costtest"
)

// A store's test calls the suite, and gives it a new and empty store each time.
func Example() {
	_ = func(t *testing.T) { // TestStore of the store's package
		costtest.TestStore(t, func(*testing.T) cost.Store { return cost.NewMemory() })
	}
	// Output:
}
