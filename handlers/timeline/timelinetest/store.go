// Package timelinetest checks a [timeline.Store] against its contract. It is
// imported by tests only.
package timelinetest

import (
	"testing"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// TestStore runs the suite. Each check opens a store of its own, which must be
// empty, keep at least 1,000 notifications and 100 events of each, and be
// released by t.Cleanup. One that is a [timeline.ContentStore] is checked as such,
// too. The checks run in parallel; run them with the race
// detector.
func TestStore(t *testing.T, open func(t *testing.T) timeline.Store) {
	t.Helper()
	for _, check := range []struct {
		name string
		run  func(*testing.T, timeline.Store)
	}{
		{"what is not there is not found", checkNotFound},
		{"an entry has its events in order, with their types", checkEntry},
		{"an event without a notification is refused", checkNoNotification},
		{"an event that comes again changes nothing", checkRepeats},
		{"the order of arrival does not change the status", checkOrder},
		{"entries share nothing that a caller may change", checkSharing},
		{"a query finds what matches it", checkFilters},
		{"a query finds what its tenant has", checkTenants},
		{"a tenant may be known later", checkLateTenant},
		{"a query finds channels and labels", checkTags},
		{"late events change what an entry is found by", checkLateTags},
		{"late events move an entry", checkLateEvents},
		{"pages hold each entry once, the newest first", checkPages},
		{"pages stay apart while entries are added", checkPagesWhileAdding},
		{"a query that makes no sense is refused", checkBadQueries},
		{"a page has 50 entries by default", checkDefaultLimit},
		{"a recipient of a tenant is erased, and nobody else", checkErase},
		{"what was erased does not come back", checkErasedStays},
		{"any number is erased", checkEraseMany},
		{"nothing is left of what is added meanwhile", checkEraseWhileAdding},
		{"contents are kept by leg", checkContents},
		{"contents are erased with their recipient", checkErasedContents},
		{"no content is left of what is kept meanwhile", checkEraseWhileKeeping},
		{"many goroutines may use it at once", checkConcurrency},
	} {
		t.Run(check.name, func(t *testing.T) {
			t.Parallel()
			check.run(t, open(t))
		})
	}
}

func add(t *testing.T, s timeline.Store, events ...notify.Event[any]) {
	t.Helper()
	for _, e := range events {
		if err := s.Add(t.Context(), e); err != nil {
			t.Fatalf("Add(%s): %v", e.ID, err)
		}
	}
}
