package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backend/subscription"
)

var (
	_ backend.Backend          = (*Backend)(nil)
	_ backend.Consumer         = (*Backend)(nil)
	_ backend.Positioner       = (*Backend)(nil)
	_ backend.DelayedPublisher = (*Backend)(nil)
	_ backend.Atomic           = (*Backend)(nil)
	_ backend.DeadLetters      = (*Backend)(nil)
	_ backend.Admitter         = (*Backend)(nil)
)

// Backend is a backend in a database, which any number of processes share. It
// keeps records, dead letters and the timeline too. All methods are safe for
// concurrent use, and those that fail because it is closed return an error that
// wraps backend.ErrClosed.
//
// Topics and groups come into being when they are first named; their names
// have at most 255 bytes.
type Backend struct {
	*store

	id         string // this process's, among those that share the database
	partitions int    // as the schema has it; set when it is opened
	waker      waker
	delays     delays
	admission  admission
	progress   broadcast // told when positions were written here

	life context.Context // ends with Close
	end  context.CancelFunc
	// subscribers are the handles that are open.
	subscribers subscription.Set
	consuming   sync.WaitGroup // calls of Consume and their shares; guarded by the store's mu against Close

	mu     sync.Mutex
	shares map[shareKey]*share
	opened int // shares so far
}

// Embedded under a name that is not exported.
type store = Store

// New returns a backend in the database that the DSN names: a URL or key=value
// pairs, as psql takes. It connects, and makes or migrates its tables, when it
// is first used, as notify.New does.
//
//	n, err := notify.New(notify.Config{Backend: postgres.New("postgres://app@db/app"), AddressKey: key})
func New(dsn string, opts ...func(*Config)) *Backend {
	b := &Backend{store: Records(dsn, opts...), shares: map[shareKey]*share{}}
	b.id = rand.Text()
	b.life, b.end = context.WithCancel(context.Background())
	b.waker.init(b)
	b.delays.init(b)
	b.admission.init(b)
	b.progress.init()
	b.store.backend = b
	return b
}

// start is called once the tables are there.
func (b *Backend) start(ctx context.Context, pool *pgxpool.Pool) error {
	partitions, err := b.readPartitions(ctx, pool)
	if err == nil {
		err = b.checkServer(ctx, pool)
	}
	if err != nil {
		return err
	}
	b.partitions = partitions
	for _, run := range []func(context.Context, *pgxpool.Pool){b.waker.announce, b.waker.listen, b.delays.run, b.retain} {
		b.active.Go(func() { run(b.base, pool) })
	}
	return nil
}

// readPartitions returns the schema's number of partitions, which the first one
// who asks decides.
func (b *Backend) readPartitions(ctx context.Context, pool *pgxpool.Pool) (int, error) {
	wanted := b.config.Partitions
	if wanted == 0 {
		wanted = 16
	}
	var value string
	err := b.config.transaction(ctx, pool, func(tx pgx.Tx) error { // of our isolation: another fails if somebody else inserts it now
		_, err := tx.Exec(ctx, b.config.sql("insert into {s}.setting (name, value) values ('partitions', $1) on conflict do nothing"), strconv.Itoa(wanted))
		return err
	})
	if err == nil {
		err = pool.QueryRow(ctx, b.config.sql("select value from {s}.setting where name = 'partitions'")).Scan(&value)
	}
	if err != nil {
		return 0, fmt.Errorf("read the number of partitions: %w", err)
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < 1 || n > maxPartitions:
		return 0, fmt.Errorf("the schema %q has %q partitions, which makes no sense: it was changed by hand", b.config.Schema, value)
	case b.config.Partitions != 0 && b.config.Partitions != n:
		return 0, fmt.Errorf("Config.Partitions is %d, but the schema %q was created with %d, which cannot change: leave it out, or name a new schema", b.config.Partitions, b.config.Schema, n)
	}
	return n, nil
}

// Close ends everything: calls of Consume return once their handlers have, the
// channels of subscribers are closed, what is finished is written down and the
// leases are given back. It waits for that, so it must not be called by a
// handler. Closing again does nothing but wait.
func (b *Backend) Close() error {
	b.store.mu.Lock()
	if !b.closed {
		b.closed = true
		b.end()
	}
	b.store.mu.Unlock()
	b.consuming.Wait()
	b.subscribers.Close()
	return b.store.Close()
}

// begin registers consuming that Close waits for; the caller ends it by
// b.consuming.Done.
func (b *Backend) begin() error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.closed {
		return backend.ErrClosed
	}
	b.consuming.Add(1)
	return nil
}

// Publisher implements [backend.Backend]. It connects to the database, and
// returns what is wrong with it. What Publish returned nil for is committed;
// messages of one call become visible together.
func (b *Backend) Publisher() (message.Publisher, error) {
	if err := b.do(context.Background(), func(context.Context, *pgxpool.Pool) error { return nil }); err != nil {
		return nil, fmt.Errorf("postgres: publisher: %w", err)
	}
	return &publisher{backend: b}, nil
}

type publisher struct {
	backend *Backend

	mu     sync.Mutex
	closed bool
}

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed {
		return fmt.Errorf("postgres: publish to %s: the publisher is %w", topic, backend.ErrClosed)
	}
	ctx := context.Background()
	if len(messages) > 0 && messages[0] != nil {
		ctx = messages[0].Context()
	}
	if err := p.backend.publish(ctx, time.Time{}, topic, messages); err != nil {
		return fmt.Errorf("postgres: publish to %s: %w", topic, err)
	}
	return nil
}

func (p *publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	return nil
}

// PublishAt implements [backend.DelayedPublisher]. Its clock is the database's.
// Messages become visible in the order of their times, and of publishing where
// these are equal. Beyond [Config.MaxDelayed] the error wraps
// backend.ErrOverloaded, and nothing was published.
func (b *Backend) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	if err := b.publish(ctx, at, topic, messages); err != nil {
		return fmt.Errorf("postgres: publish to %s at a time: %w", topic, err)
	}
	return nil
}

func (b *Backend) publish(ctx context.Context, at time.Time, topic string, messages []*message.Message) error {
	out := make([]backend.Publication, len(messages))
	for i, m := range messages {
		out[i] = backend.Publication{Topic: topic, Message: m, At: at}
	}
	return b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err := b.publications(out)
		if err != nil || len(out) == 0 {
			return err
		}
		later, err := b.roomForDelayed(ctx, pool, rows)
		if err != nil {
			return err
		}
		if err := b.writer.do(ctx, pool, rows.write(&b.config)); err != nil {
			return err
		}
		b.published(rows, later)
		return nil
	})
}

// publications turns messages into rows. The backend is open.
func (b *Backend) publications(out []backend.Publication) (*publications, error) {
	rows := &publications{partitions: b.partitions}
	for i, p := range out {
		if err := rows.add(p.Topic, p.At, p.Message); err != nil {
			return nil, fmt.Errorf("message %d: %w", i, err)
		}
	}
	return rows, nil
}

// published tells whoever waits for what was committed, which is partly for
// later.
func (b *Backend) published(rows *publications, later int64) {
	b.admission.add(rows.topics)
	b.delays.gauge.add(later)
	for i, topic := range rows.topics {
		if at := rows.ats[i]; at != nil {
			b.delays.expect(*at)
		}
		b.waker.wake(kindMessages, topic)
	}
}

// Commit implements [backend.Atomic]: it is one statement, and so one
// transaction. At [Config.MaxDelayed], or at [Config.MaxRecords] for a new record,
// the error wraps backend.ErrOverloaded.
func (b *Backend) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	if len(out) == 0 {
		return b.Store(ctx, r)
	}
	var rows *publications
	var later int64
	err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		if rows, err = b.publications(out); err == nil {
			later, err = b.roomForDelayed(ctx, pool, rows)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("postgres: commit record %q: %w", r.ID, err)
	}
	if revision, err = b.commit(ctx, r, rows); err == nil {
		b.published(rows, later)
	}
	return revision, err
}

// checkGroup checks the names of a position.
func checkGroup(topic, group string) error {
	return errors.Join(checkName("topic", topic), checkName("group", group))
}
