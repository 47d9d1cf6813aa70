package postgres

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

type shareKey struct{ topic, group string }

// share is the part that this process has in a group: its members, and the
// partitions that it holds for them. It begins with the first member, and ends
// after the last.
type share struct {
	shareKey
	backend *Backend
	id      string // the leases' owner

	messages chan struct{} // there may be something to read
	leases   chan struct{} // there may be partitions to take or to give
	moved    chan struct{} // there may be something to write down
	left     chan struct{} // closed when there is no member any more
	ended    chan struct{} // closed when all is written down, and the leases are given back
	writing  sync.Mutex    // held while positions are written
	fixed    bool          // the group has had a position; tend's

	mu      sync.Mutex
	members []*member
	parts   map[int16]*part
	over    bool // it takes no member any more
	forgot  bool // the group has no position any more
}

// join makes m a member of this process's share of its group.
func (b *Backend) join(m *member) *share {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := shareKey{m.Topic, m.Group}
	if s := b.shares[key]; s != nil && s.add(m) {
		return s
	}
	b.opened++
	s := &share{
		shareKey: key, backend: b, id: b.id + "/" + strconv.Itoa(b.opened),
		messages: make(chan struct{}, 1), leases: make(chan struct{}, 1), moved: make(chan struct{}, 1),
		left: make(chan struct{}), ended: make(chan struct{}),
		parts: map[int16]*part{}, members: []*member{m},
	}
	b.shares[key] = s
	b.consuming.Go(s.run) // m's call is counted, so Close waits for it
	return s
}

// add returns false if the share is over, or its group was forgotten.
func (s *share) add(m *member) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.forgot {
		return false
	}
	s.members = append(s.members, m)
	for _, p := range s.parts {
		m.consume(p)
	}
	return true
}

// dismiss gives a member nothing more.
func (s *share) dismiss(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.over = true
}

// leave takes out a member whose handlers have returned. The last one waits
// until it is written down what was finished.
func (s *share) leave(m *member) {
	s.mu.Lock()
	s.members = slices.DeleteFunc(s.members, func(other *member) bool { return other == m })
	last := len(s.members) == 0
	s.over = last
	s.mu.Unlock()
	if last {
		close(s.left)
		<-s.ended
	}
}

func (s *share) wake(kind string) {
	if kind == kindLeases {
		signal(s.leases)
	} else {
		signal(s.messages)
	}
}

// room is how many messages a window may have ahead: a few thousand in all.
func (s *share) room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(64, 4096/max(1, len(s.parts)))
}

// run keeps the share until its last member has left.
func (s *share) run() {
	defer close(s.ended)
	reading, stopReading := context.WithCancel(s.backend.base)
	tending, stopTending := context.WithCancel(s.backend.base)
	var readers, tender sync.WaitGroup
	readers.Go(func() { s.with(reading, s.read) })
	readers.Go(func() { s.with(reading, s.write) })
	tender.Go(func() { s.with(tending, s.tend) })
	<-s.left
	stopTending() // so that no partition is taken any more
	tender.Wait()
	stopReading()
	readers.Wait()
	s.end()
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	if s.backend.shares[s.shareKey] == s {
		delete(s.backend.shares, s.shareKey)
	}
}

// with runs f once the database is open, or ctx ends.
func (s *share) with(ctx context.Context, f func(context.Context, *pgxpool.Pool)) {
	if pool := s.backend.await(ctx); pool != nil {
		f(ctx, pool)
	}
}

// await opens the database, and tries again until ctx ends: then it is nil.
func (b *Backend) await(ctx context.Context) *pgxpool.Pool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		pool, err := b.open(ctx)
		if err == nil {
			return pool
		}
		if ctx.Err() == nil {
			b.complain("groups wait for the database", err)
		}
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// held are the parts, by number.
func (s *share) held() []*part {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*part, 0, len(s.parts))
	for _, p := range s.parts {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *part) int { return int(a.number) - int(b.number) })
	return all
}

// take begins with a partition.
func (s *share) take(p *part) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts[p.number] = p
	for _, m := range s.members {
		m.consume(p)
	}
	s.backend.consuming.Go(func() { p.feed(ctx) })
}

// drop ends with a partition that is not held any more.
func (s *share) drop(p *part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts[p.number] != p {
		return
	}
	delete(s.parts, p.number)
	close(p.lost)
	p.stop()
	// What its handlers have under way counts no longer, and is not waited for.
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.window.Close(ended)
}
