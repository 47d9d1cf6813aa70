// Package sides has the ways to get an event to observers that are compared:
// a file each. Each is set up as its documentation advises, to be fast, and to
// lose nothing.
package sides

import "github.com/seed-6c01d079/notify/bench"

// The names of the sides that budgets are about.
const (
	NotifyName   = "notify"
	CQRSName     = "Watermill CQRS"
	KelindarName = "kelindar/event"
)

// All returns the sides, in the order in which they are shown.
func All() []bench.Side {
	return []bench.Side{Loop(), Channels(), EventBus(), Kelindar(), GoChannel(), CQRS(), Notify(), NotifyLifecycle(), NotifyWire()}
}
