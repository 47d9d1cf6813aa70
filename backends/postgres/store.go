package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

var (
	_ backend.Records     = (*Store)(nil)
	_ backend.DeadLetters = (*Store)(nil)
)

// Store keeps records and dead letters, the outbox, the timeline, webhooks and the
// suppression list of a program whose messages travel over another backend. All methods are safe for
// concurrent use; after Close they return an error that wraps
// backend.ErrClosed.
type Store struct {
	config  Config
	problem error // of the config
	dsn     string
	writer  writer
	records gauge
	outbox  gauge

	backend *Backend // that it belongs to, or nil
	pool    atomic.Pointer[pgxpool.Pool]

	// base ends what is under way when the store is closed.
	base    context.Context
	cancel  context.CancelFunc
	opening chan struct{}  // holds one while somebody opens, or closes
	active  sync.WaitGroup // calls and goroutines; guarded by mu against Close

	mu     sync.Mutex
	closed bool
}

// Records returns a store in the database that the DSN names: a URL or
// key=value pairs, as psql takes. It connects, and makes or migrates its
// tables, when it is first used.
//
//	records := postgres.Records("postgres://app@db/app")
//	n, err := notify.New(notify.Config{Backend: kafka.New(brokers), Records: records, ...})
//
// The Notifier does not close it.
func Records(dsn string, opts ...func(*Config)) *Store {
	s := &Store{dsn: dsn, opening: make(chan struct{}, 1)}
	s.config, s.problem = newConfig(dsn, opts)
	s.base, s.cancel = context.WithCancel(context.Background())
	s.writer.store, s.writer.waiting = s, make(chan struct{}, maxWaiting)
	return s
}

// Close ends what is under way, and the connections. The host's own
// [Config.Pool] stays open. It may be called again.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.active.Wait()
	s.opening <- struct{}{}
	defer func() { <-s.opening }()
	if pool := s.pool.Swap(nil); pool != nil && s.config.Pool == nil {
		pool.Close()
	}
	return nil
}

// enter registers work that Close waits for, until s.active.Done.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return backend.ErrClosed
	}
	s.active.Add(1)
	return nil
}

// do runs f with the pool, and a context that ends with the store, too.
func (s *Store) do(ctx context.Context, f func(ctx context.Context, pool *pgxpool.Pool) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.active.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()
	pool, err := s.open(ctx)
	if err == nil {
		err = f(ctx, pool)
	}
	return s.failed(err)
}

// failed is the error as a caller gets it.
func (s *Store) failed(err error) error {
	if err != nil && s.base.Err() != nil && !errors.Is(err, backend.ErrClosed) {
		return fmt.Errorf("%w: %w", backend.ErrClosed, err)
	}
	return explain(err)
}

// open returns the pool, once the tables are there. One caller at a time tries.
func (s *Store) open(ctx context.Context) (*pgxpool.Pool, error) {
	if pool := s.pool.Load(); pool != nil {
		return pool, nil
	}
	if s.problem != nil {
		return nil, s.problem
	}
	select {
	case s.opening <- struct{}{}:
		defer func() { <-s.opening }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if pool := s.pool.Load(); pool != nil {
		return pool, nil
	}
	pool, err := connect(ctx, s.dsn, &s.config)
	if err != nil {
		return nil, err
	}
	if err = migrate(ctx, pool, &s.config); err == nil && s.backend != nil {
		err = s.backend.start(ctx, pool)
	}
	if err != nil {
		if s.config.Pool == nil {
			pool.Close()
		}
		return nil, err
	}
	s.pool.Store(pool)
	return pool, nil
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
