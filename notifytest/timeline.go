package notifytest

import (
	"testing"

	readview "github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinetest"
)

// TestTimelineStore runs the suite for stores of a timeline: see
// [timelinetest.TestStore].
func TestTimelineStore(t *testing.T, open func(t *testing.T) readview.Store) {
	t.Helper()
	timelinetest.TestStore(t, open)
}
