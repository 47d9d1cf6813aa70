package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/seed-6c01d079/notify/backend/window"
)

// place is where a message is in its partition. Places are in the order of
// (xid, seq).
type place struct {
	xid uint64
	seq int64
}

// part is a partition that this process holds for a group. Its window numbers
// the messages as the group passes them, from 1 on, over all processes.
//
// It is of one era, the time since the server was started: another server that
// took over, or this one after a crash, may have lost what came last, and give
// the same transaction IDs to others. Then it is taken anew, from its position.
type part struct {
	share  *share
	number int16
	epoch  int64
	era    time.Time // when the server was started
	window *window.Window
	lost   chan struct{} // closed when the partition is not held any more
	stop   context.CancelFunc
	fed    chan struct{} // the reader has added something

	// The reader's.
	last   place // up to which it was read
	passed int64 // the number of the last that was read

	mu       sync.Mutex
	hungry   bool            // the window has room; guarded by mu
	deadline time.Time       // when the lease ends, at the latest; guarded by mu
	places   map[int64]place // of what may be written down, by number; guarded by mu
	low      int64           // no number below is in places, but of what waits; guarded by mu

	// The writer's: what is in the database.
	written  int64
	writes   int64 // begun so far
	unsure   bool  // of what the last write did
	waiting  map[int64]window.Waiting
	draining bool // it is given back; guarded by the share's mu
}

func newPart(s *share, row takenRow, deadline time.Time) *part {
	last, passed := row.last, row.passed
	p := &part{
		share: s, number: row.number, epoch: row.epoch, era: row.era, lost: make(chan struct{}), fed: make(chan struct{}, 1),
		last: last, passed: passed, deadline: deadline,
		places: map[int64]place{passed: last}, low: passed, written: passed, waiting: map[int64]window.Waiting{},
	}
	c := &s.backend.config
	p.window = window.New(func(w *window.Config) {
		w.MaxParkedPerKey, w.MaxParked, w.After = c.MaxParkedPerKey, c.MaxParked, passed
		w.Moved = func() { signal(s.moved) }
	})
	return p
}

// feed has the reader read for the window whenever it has room.
func (p *part) feed(ctx context.Context) {
	defer p.setHungry(false)
	for p.window.Room(ctx, p.share.room()) == nil {
		p.setHungry(true)
		signal(p.share.messages)
		select {
		case <-p.fed:
		case <-ctx.Done():
			return
		}
	}
}

func (p *part) setHungry(hungry bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hungry = hungry
}

func (p *part) isHungry() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hungry
}

// add gives messages that were read to the window.
func (p *part) add(read []readRow) error {
	items := make([]window.Item, len(read))
	p.mu.Lock()
	for i, row := range read {
		p.passed++
		items[i] = window.Item{Position: p.passed, Message: row.message}
		p.places[p.passed] = row.place
		p.last = row.place
	}
	p.hungry = false
	p.mu.Unlock()
	if err := p.window.Add(items...); err != nil {
		return err
	}
	signal(p.fed)
	return nil
}

// held tells whether the lease lasts, as far as this process can know. It may
// have been frozen.
func (p *part) held() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.deadline) || p.share.backend.config.deaf
}

// renew says that the lease was renewed.
func (p *part) renew(deadline time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = deadline
}

// state is what is to be written down of a part.
type state struct {
	at      place
	passed  int64
	waiting map[int64]window.Waiting
	places  map[int64]place // of waiting
}

// state asks the window.
func (p *part) state() state {
	position := p.window.Position()
	s := state{passed: position.At, waiting: map[int64]window.Waiting{}, places: map[int64]place{}}
	if !position.Clear {
		s.passed--
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.at = p.places[s.passed]
	for _, w := range position.Waiting {
		s.waiting[w.Position] = w
		s.places[w.Position] = p.places[w.Position]
	}
	return s
}

// wrote says that the state is in the database: what is before it is not asked
// for again.
func (p *part) wrote(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for number := range p.waiting {
		if _, still := s.waiting[number]; !still && number < s.passed {
			delete(p.places, number)
		}
	}
	for ; p.low < s.passed; p.low++ {
		if _, waits := s.waiting[p.low]; !waits {
			delete(p.places, p.low)
		}
	}
	p.written, p.waiting, p.unsure = s.passed, s.waiting, false
}

// equal tells whether the database has the state already.
func (p *part) equal(s state) bool {
	if p.unsure || s.passed != p.written || len(s.waiting) != len(p.waiting) {
		return false
	}
	for number, w := range s.waiting {
		if old, ok := p.waiting[number]; !ok || old.Attempt != w.Attempt || !old.Due.Equal(w.Due) {
			return false
		}
	}
	return true
}
