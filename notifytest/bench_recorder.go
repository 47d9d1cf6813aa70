package notifytest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// recorder is the observer that remembers every event.
type recorder struct {
	mu      sync.Mutex // guards the following
	events  []notify.Event[any]
	byID    map[string]int   // index in events
	of      map[string][]int // of a notification, in order
	changed chan struct{}    // closed with the next event
	broken  []string         // events that break a promise of notify's
}

func newRecorder() *recorder {
	return &recorder{byID: map[string]int{}, of: map[string][]int{}, changed: make(chan struct{})}
}

func (r *recorder) observe(_ context.Context, e notify.Event[any]) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, known := r.byID[e.ID]; known {
		if !sameEvent(r.events[at], e) {
			r.broken = append(r.broken, fmt.Sprintf("event %s came twice, with different content: %+v, then %+v", e.ID, r.events[at], e))
		}
		return nil // it may come twice, but counts once
	}
	r.byID[e.ID] = len(r.events)
	r.of[e.NotificationID] = append(r.of[e.NotificationID], len(r.events))
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

func sameEvent(a, b notify.Event[any]) bool {
	return a.Type == b.Type && a.Time.Equal(b.Time) && a.Seen.Equal(b.Seen) && reflect.DeepEqual(a.Data, b.Data)
}

// all returns the events of a notification, or with an empty ID all of them,
// and what is closed when there is another.
func (r *recorder) all(id string) ([]notify.Event[any], <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id == "" {
		return slices.Clone(r.events), r.changed
	}
	events := make([]notify.Event[any], len(r.of[id]))
	for i, at := range r.of[id] {
		events[i] = r.events[at]
	}
	return events, r.changed
}

func (r *recorder) problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.broken)
}
