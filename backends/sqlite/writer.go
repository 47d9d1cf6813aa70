package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

const (
	queueLength = 1024    // operations that may wait to be written
	maxOps      = 512     // to a transaction
	maxBytes    = 8 << 20 // to a transaction, about
	// positionDelay is how long a group's position may be behind on disk when
	// nothing else is written.
	positionDelay = 20 * time.Millisecond
	// retry is how long a position that could not be written waits, when nothing
	// else is written.
	retry = time.Second
	// lull is how long no operation has to arrive before the writer takes it that
	// no more will.
	lull = 50 * time.Microsecond
)

// writer is the only one that writes to the database. What callers want
// written at the same time goes into one transaction, and to disk at once.
type writer struct {
	db    *sql.DB
	queue chan *op
	nudge chan struct{}
	// begin makes a transaction of a session, idle tells whether there is
	// nothing to write but operations, and failed is told why that was not
	// written.
	begin  func(*session) *tx
	idle   func() bool
	failed func(error)
	ended  chan struct{}

	mu     sync.RWMutex
	closed bool // the queue is; nothing more is sent

	// The rest is the goroutine's own.

	conn    *sql.Conn
	session *session
	batch   []*op
	most    int           // operations to a transaction
	unsaved error         // of the last transaction
	callers int           // who are answered now, or wait already
	commit  time.Duration // what the last one took
}

// op is something that a caller wants written.
type op struct {
	ctx  context.Context
	size int
	run  func(*tx) error
	fate atomic.Int32
	err  error
	done chan struct{}
}

const (
	queued int32 = iota
	begun        // it is being written: its caller has to wait
	left         // its caller has gone: it is not written
)

func newWriter(db *sql.DB, begin func(*session) *tx, idle func() bool) *writer {
	return &writer{
		db: db, begin: begin, idle: idle, most: maxOps,
		queue: make(chan *op, queueLength), nudge: make(chan struct{}, 1), ended: make(chan struct{}),
	}
}

// do runs f in a transaction, with what others want written, and returns once
// that is on disk. An error of f takes back what f did, and nothing else. What
// has not begun when ctx ends never does.
func (w *writer) do(ctx context.Context, size int, f func(*tx) error) error {
	o := &op{ctx: ctx, size: size, run: f, done: make(chan struct{})}
	if err := w.send(o); err != nil {
		return err
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
	}
	if o.fate.CompareAndSwap(queued, left) {
		return ctx.Err()
	}
	<-o.done
	return o.err
}

func (w *writer) send(o *op) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return backend.ErrClosed
	}
	select {
	case w.queue <- o:
		return nil
	case <-o.ctx.Done():
		return o.ctx.Err()
	}
}

// wake has it look for more to write than operations, before long.
func (w *writer) wake() {
	select {
	case w.nudge <- struct{}{}:
	default:
	}
}

// close writes what is left, and ends the goroutine.
func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
	return errors.Join(w.unsaved, w.disconnect(nil))
}

func (w *writer) run() {
	defer close(w.ended)
	for open := true; open; {
		open = w.collect()
		if len(w.batch) > 0 || !w.idle() {
			w.write()
		}
		clear(w.batch)
		w.batch = w.batch[:0]
	}
	if w.idle() {
		w.unsaved = nil
	}
}

// write writes the batch in one transaction, and answers the callers.
func (w *writer) write() {
	t, err := w.transact()
	switch {
	case err == nil:
		t.happened()
	case t != nil:
		t.revert(0)
		err = w.disconnect(err)
	}
	w.callers = len(w.batch) + len(w.queue)
	if w.unsaved = err; err != nil && len(w.batch) == 0 {
		w.failed(err)
	}
	for _, o := range w.batch {
		if o.fate.Load() == left {
			continue
		}
		if err != nil && o.err == nil {
			o.err = err
		}
		close(o.done)
	}
}

// transact returns the transaction, as far as it came, with the error that
// undid it.
func (w *writer) transact() (*tx, error) {
	if err := w.connect(); err != nil {
		return nil, err
	}
	var running []*op // they have begun
	for _, o := range w.batch {
		if o.fate.CompareAndSwap(queued, begun) {
			running = append(running, o)
		}
	}
	t, err := w.attempt(running, false)
	if errors.Is(err, errCareful) {
		t.revert(0)
		if _, failed := t.session.exec("ROLLBACK"); failed != nil {
			return t, err // SQLite has taken it back: err says why
		}
		t, err = w.attempt(running, true)
	}
	return t, err
}

// attempt runs the operations in a transaction.
func (w *writer) attempt(running []*op, careful bool) (*tx, error) {
	t := w.begin(w.session)
	t.careful = careful
	if _, err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return t, busy(err)
	}
	for _, o := range running {
		if o.err = o.ctx.Err(); o.err != nil {
			continue
		}
		if o.err = t.try(o.run); t.broken != nil {
			return t, t.broken
		}
	}
	if err := t.finish(); err != nil {
		return t, err
	}
	began := time.Now()
	_, err := t.exec("COMMIT")
	w.commit = time.Since(began)
	return t, err
}

func (w *writer) connect() (err error) {
	if w.conn != nil {
		return nil
	}
	if w.conn, err = w.db.Conn(context.Background()); err != nil {
		return err
	}
	conn := w.conn
	w.session = newSession(conn.PrepareContext)
	w.session.raw, w.session.onConn = conn.Raw, map[string]driver.Stmt{}
	return nil
}

// disconnect closes the connection, and with it any transaction. After an
// error that it is given, it is not used again.
func (w *writer) disconnect(err error) error {
	if w.conn == nil {
		return err
	}
	problems := []error{err, w.session.close()}
	if err != nil {
		// What goes wrong with a connection that is broken anyway is not told.
		problems = problems[:1]
		_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	if closing := w.conn.Close(); err == nil && !errors.Is(closing, sql.ErrConnDone) {
		problems = append(problems, closing)
	}
	w.conn, w.session = nil, nil
	return errors.Join(problems...)
}

// busy says what to do about a database that somebody else is writing to.
func busy(err error) error {
	if isBusy(err) {
		return fmt.Errorf("%w: another program writes to the file, such as the sqlite3 shell in a transaction", err)
	}
	return err
}
