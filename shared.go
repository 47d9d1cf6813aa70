package notify

import "fmt"

// changedEvent is what a build with the race detector panics with when a
// handler has changed an event, which all observers share.
type changedEvent struct{ observer, kind string }

func (e *changedEvent) Error() string {
	return fmt.Sprintf("notify: observer %s changed the %s that it was given; events are shared, so copy them first", e.observer, e.kind)
}
