package postgres

import (
	"context"
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
	mu    sync.Mutex
	known int64     // by the last lookup that succeeded
	at    time.Time // when that began
	took  time.Duration
	added int64 // since, from here
	last  *lookup
}

// lookup is one time that they were looked up.
type lookup struct {
	begun  time.Time
	before int64 // added until then
	done   chan struct{}
	err    error // guarded by the gauge's mu
}

// add is told of what was added here, or taken away.
func (g *gauge) add(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.added += n
}

// read is how many there are. It is not ok if that was looked up too long ago.
func (g *gauge) read() (n int64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known + g.added, !g.at.IsZero() && time.Since(g.at) < max(fresh, 100*g.took)
}

// look looks them up, unless somebody just did. It may take longer than ctx, and
// then goes on for others.
func (s *Store) look(ctx context.Context, g *gauge, count func(ctx context.Context) (int64, error)) (n int64, err error) {
	g.mu.Lock()
	l := g.last
	if l == nil || l.ended() && time.Since(l.begun) >= max(stale, 10*g.took) {
		l = &lookup{begun: time.Now(), before: g.added, done: make(chan struct{})}
		g.last = l
		s.active.Go(func() {
			ctx, cancel := s.inTime(s.base)
			defer cancel()
			defer close(l.done)
			known, err := count(ctx)
			g.looked(l, known, err)
		})
	}
	g.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known + g.added, l.err
}

func (l *lookup) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (g *gauge) looked(l *lookup, known int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.err = err; err != nil {
		return
	}
	g.known, g.at, g.took = known, l.begun, time.Since(l.begun)
	g.added -= l.before
}
