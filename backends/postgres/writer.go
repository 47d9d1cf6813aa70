package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// maxFlushes is how many transactions of a store's writes are under way at
	// once. More would share the server's syncs no better.
	maxFlushes = 4
	// maxTogether and maxBytesTogether bound one transaction.
	maxTogether      = 128
	maxBytesTogether = 1 << 20
)

// write is one statement that returns one number. It stands by itself: it may
// share its transaction with others, or not.
type write struct {
	key   string // orders the statements of a transaction, so that two do not wait for each other
	sql   string
	args  []any
	bytes int

	ctx    context.Context // of the caller
	result int64
	err    error
	done   chan struct{}
}

// maxLockWait is how long a row is waited for by a transaction of several
// writes. Its holder may be a transaction of the host's, for which other writes
// need not wait.
const maxLockWait = "set local lock_timeout = '100ms'"

// writer brings writes of many callers into few transactions: whoever comes
// while others are under way waits for these, and then goes with all who wait.
type writer struct {
	store *Store

	// waiting has room for those that wait for a row: they must leave
	// connections to the others.
	waiting chan struct{}

	mu      sync.Mutex
	queue   []*write
	flushes int
}

// maxWaiting is how many connections are used to wait for rows.
const maxWaiting = 2

// do does the write. The caller has entered the store. If ctx ends first, it is
// open whether the write was done.
func (w *writer) do(ctx context.Context, pool *pgxpool.Pool, one *write) error {
	one.ctx, one.done = ctx, make(chan struct{})
	w.mu.Lock()
	w.queue = append(w.queue, one)
	if w.flushes < maxFlushes {
		w.flushes++
		w.store.active.Go(func() { w.flush(pool) })
	}
	w.mu.Unlock()
	select {
	case <-one.done:
		return one.err
	case <-ctx.Done():
	}
	w.mu.Lock()
	w.queue = slices.DeleteFunc(w.queue, func(other *write) bool { return other == one })
	w.mu.Unlock()
	return ctx.Err()
}

// flush writes until nothing waits.
func (w *writer) flush(pool *pgxpool.Pool) {
	for {
		some := w.take()
		if len(some) == 0 {
			return
		}
		w.store.together(pool, some)
	}
}

// take takes what goes into one transaction. When there is nothing, the caller
// has ended.
func (w *writer) take() []*write {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, size := 0, 0
	for n < len(w.queue) && n < maxTogether && (n == 0 || size+w.queue[n].bytes <= maxBytesTogether) {
		size += w.queue[n].bytes
		n++
	}
	if n == 0 {
		w.flushes--
		return nil
	}
	some := slices.Clone(w.queue[:n])
	w.queue = slices.Delete(w.queue, 0, n)
	return some
}

// together does the writes in one transaction; each alone, if one of them keeps
// the others from being done. One that waits for a row does so by itself.
func (s *Store) together(pool *pgxpool.Pool, some []*write) {
	err := s.transact(pool, some)
	switch {
	case !undone(err):
		for _, one := range some {
			one.err = cmp.Or(one.err, err)
			close(one.done)
		}
	case len(some) > 1:
		for _, one := range some {
			one.err = nil
			s.together(pool, []*write{one})
		}
	case waited(err):
		one := some[0]
		s.active.Go(func() {
			defer close(one.done)
			select {
			case s.writer.waiting <- struct{}{}:
				defer func() { <-s.writer.waiting }()
				one.err = pool.QueryRow(one.ctx, one.sql, one.args...).Scan(&one.result)
			case <-one.ctx.Done():
				one.err = one.ctx.Err()
			}
		})
	default:
		some[0].err = err
		close(some[0].done)
	}
}

// waited tells whether a row was not to be had in time.
func waited(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "55P03"
}

// undone tells whether the error says that nothing was done.
func undone(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code[:2] != "57" // the server ends, and answers for nothing
	}
	return err != nil && pgconn.SafeToRetry(err)
}

// transact does all writes, or none.
func (s *Store) transact(pool *pgxpool.Pool, some []*write) error {
	slices.SortStableFunc(some, func(a, b *write) int { return cmp.Compare(a.key, b.key) })
	batch := &pgx.Batch{}
	batch.Queue(begin)
	batch.Queue(maxLockWait)
	for _, one := range some {
		batch.Queue(one.sql, one.args...).QueryRow(func(row pgx.Row) error { return row.Scan(&one.result) })
	}
	batch.Queue("commit")
	ctx, cancel := s.inTime(s.base)
	defer cancel()
	err := pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return s.send(ctx, conn, batch) })
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("the server did not answer for %s: %w", s.config.silence, err)
	}
	return err
}
