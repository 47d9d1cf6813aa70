package timelinetest_test

import (
	"testing"

	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinetest"
)

// A store's test calls the suite, and gives it a new and empty store each time.
func Example() {
	_ = func(t *testing.T) { // TestStore of the store's package
		timelinetest.TestStore(t, func(t *testing.T) timeline.Store {
			return timeline.NewMemory()
		})
	}
	// Output:
}
