package notify

import (
	"sync"
	"sync/atomic"
	"time"
)

// pause holds back an observer that fails on everything: after dead letters of
// pauseAfter keys in a row it gets one event every pauseEvery, until one succeeds.
// What it has not got waits in the log, as its lag. A key counts once: if a few
// of them alone cannot be handled, the others must be read.
type pause struct {
	row atomic.Int64 // keys with dead letters since the observer last handled something

	mu    sync.Mutex
	keys  map[string]bool // those keys, until there are pauseAfter
	next  time.Time       // when the next event may be tried
	ended time.Time       // when the latest pause was over
	waked chan struct{}   // closed when the pause is over; nil: nobody waits
}

const (
	pauseAfter = 20
	pauseEvery = 30 * time.Second
)

// on tells whether the observer is paused.
func (p *pause) on() bool { return p.row.Load() >= pauseAfter }

// recovering tells whether the observer is paused, or was until just now: what
// it has put back in the pause has not come again yet.
func (p *pause) recovering() bool {
	if p.on() {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.ended.IsZero() && time.Since(p.ended) < 2*pauseEvery
}

// failed notes a dead letter of the key.
func (p *pause) failed(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on() || p.keys[key] {
		return
	}
	if p.keys == nil {
		p.keys = map[string]bool{}
	}
	p.keys[key] = true
	if len(p.keys) == pauseAfter {
		p.keys = nil
		p.next = time.Now().Add(pauseEvery)
	}
	p.row.Add(1)
}

// succeeded notes that an event was handled, which ends a pause.
func (p *pause) succeeded() {
	if p.row.Load() == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = nil
	if p.row.Swap(0) >= pauseAfter {
		p.ended = time.Now()
	}
	if p.waked != nil {
		close(p.waked)
		p.waked = nil
	}
}

// wait waits until the pause is over, or it is the caller's turn to try an
// event. It returns false if the observer is halted before.
func (p *pause) wait(halted <-chan struct{}) bool {
	for {
		p.mu.Lock()
		if !p.on() {
			p.mu.Unlock()
			return true
		}
		now := time.Now()
		left := p.next.Sub(now)
		if left <= 0 {
			p.next = now.Add(pauseEvery) // the others wait for the time after
			p.mu.Unlock()
			return true
		}
		if p.waked == nil {
			p.waked = make(chan struct{})
		}
		waked := p.waked
		p.mu.Unlock()
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
		case <-waked:
			timer.Stop()
		case <-halted:
			timer.Stop()
			return false
		}
	}
}
