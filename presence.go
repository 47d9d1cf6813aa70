package notify

import (
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

// attendance is a Notifier's presence where its records tell whose leases live:
// from before its first step until none is under way and none begins any more. A
// provider's call that outlasts Close keeps it.
type attendance struct {
	mu    sync.Mutex // guards the following
	steps int        // batches under way
	over  bool       // no more begin
	leave func()     // of the records; nil: it has not entered
}

// enter makes the owner of leases present.
func (a *attendance) enter(at backend.Presence, owner string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave = at.Enter(owner)
}

// begin begins a batch, unless it is over.
func (a *attendance) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	a.steps++
	return true
}

func (a *attendance) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.steps--
	a.leaveLocked()
}

// close lets no more begin, and leaves as soon as nothing is under way.
func (a *attendance) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	a.leaveLocked()
}

func (a *attendance) leaveLocked() {
	if a.over && a.steps == 0 && a.leave != nil {
		a.leave()
	}
}
