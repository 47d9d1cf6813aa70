package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/subscription"
)

var (
	_ backend.Backend          = (*Backend)(nil)
	_ backend.Consumer         = (*Backend)(nil)
	_ backend.Positioner       = (*Backend)(nil)
	_ backend.DelayedPublisher = (*Backend)(nil)
	_ backend.Records          = (*Backend)(nil)
	_ backend.Atomic           = (*Backend)(nil)
	_ backend.DeadLetters      = (*Backend)(nil)
	_ backend.Admitter         = (*Backend)(nil)
	_ backend.SecretKeeper     = (*Backend)(nil)
)

// Backend is the backend in one SQLite file. It implements every interface of
// package backend but LocalPublisher, Tailer (what is to be seen of a
// notification is in its record) and Transactor (nobody else writes to the
// file); all methods are safe for concurrent use, and those that fail because
// it is closed return an error that wraps backend.ErrClosed.
//
// The first call that needs the file opens it: its errors, such as [ErrLocked],
// come from there, and the next call tries again. Topics and groups come into
// being when they are first named. What a method has returned without an error
// is on disk, except how far a group is: that is written within some 20
// milliseconds, so that after a crash it gets again what it finished just
// before.
type Backend struct {
	path     string
	config   Config
	problems error           // of config
	life     context.Context // ends when Close begins
	end      context.CancelFunc
	active   sync.WaitGroup
	opened   atomic.Pointer[store]
	// subscribers are the handles that are open.
	subscribers subscription.Set

	mu       sync.Mutex
	closed   bool // no more is added to active
	closeErr error
	ended    bool
}

// Open returns a backend on the file of that path, which is made if there is
// none. It does nothing else: see [Backend].
func Open(path string, opts ...func(*Config)) *Backend {
	b := &Backend{path: path}
	b.life, b.end = context.WithCancel(context.Background())
	b.config, b.problems = newConfig(opts)
	return b
}

// enter opens the file if it has to, and registers work that Close waits for
// until leave.
func (b *Backend) enter(ctx context.Context) (*store, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, backend.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := b.opened.Load()
	if s == nil {
		if b.problems != nil {
			return nil, b.problems
		}
		var err error
		if s, err = openStore(b.path, b.config); err != nil {
			return nil, fmt.Errorf("open %s: %w", b.path, err)
		}
		b.opened.Store(s)
	}
	b.active.Add(1)
	return s, nil
}

func (b *Backend) leave() { b.active.Done() }

func (b *Backend) isClosed() bool { return b.life.Err() != nil }

// whileOpen returns ctx, which ends when Close begins too.
func (b *Backend) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.life, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// Close ends everything: calls of Consume return once their handlers have, the
// channels of subscribers are closed; then it writes down how far the groups
// are, and closes the file. It must not be called by a handler. Closing again
// does nothing but wait.
func (b *Backend) Close() error {
	b.mu.Lock()
	b.closed = true
	b.end()
	b.mu.Unlock()
	s := b.opened.Load()
	if s != nil {
		s.closeWindows()
	}
	b.active.Wait()
	b.subscribers.Close()
	if s != nil {
		s.closeWindows() // of groups that began meanwhile
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if s != nil && !b.ended {
		b.ended = true
		b.closeErr = s.close()
	}
	if b.closeErr != nil {
		return fmt.Errorf("sqlite: close %s: %w", b.path, b.closeErr)
	}
	return nil
}

// check tells what is wrong with the names of a topic and a group.
func check(topic, group string) error {
	switch {
	case topic == "":
		return errors.New("the topic is empty")
	case group == "":
		return errors.New("the group is empty")
	}
	return nil
}
