package postgres

import (
	"sync"
	"time"
)

const (
	// fresh is how long at least it is believed what was looked up, with what was
	// added here since. What took long to look up is believed for longer.
	fresh = time.Second
	// stale is how soon at the earliest it is looked again when there seems to be
	// no room.
	stale = 25 * time.Millisecond
)

// gauge knows about how many rows of some kind there are.
type gauge struct {
	looking sync.Mutex // held by the one who looks

	mu     sync.Mutex
	known  int64 // when it was looked
	added  int64 // since, from here
	looked time.Time
	took   time.Duration
}

// add is told of what was added here, or taken away.
func (g *gauge) add(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.added += n
}

// at is how many there are. It is not ok if that was looked up too long ago.
func (g *gauge) at() (n int64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known + g.added, !g.looked.IsZero() && time.Since(g.looked) < max(fresh, 100*g.took)
}

// look looks them up, unless somebody just did.
func (g *gauge) look(count func() (int64, error)) (n int64, err error) {
	g.looking.Lock()
	defer g.looking.Unlock()
	g.mu.Lock()
	begun := time.Now()
	recent := !g.looked.IsZero() && begun.Sub(g.looked) < max(stale, 10*g.took)
	n, before := g.known+g.added, g.added
	g.mu.Unlock()
	if recent {
		return n, nil
	}
	known, err := count()
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known, g.looked, g.took = known, begun, time.Since(begun)
	g.added -= before
	return g.known + g.added, nil
}
