package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

// Admit implements [backend.Admitter]. The room of a topic is [Config.MaxWork]
// less the lag of the group that is furthest behind, or less what the topic has
// when it has no group. A topic where nothing waits admits any n. The lag is
// looked up once a second, and what this process publishes is added: processes
// that publish at the same time may together exceed the room by as much as they
// publish in a second.
func (b *Backend) Admit(ctx context.Context, topic string, n int, wait bool) error {
	err := checkName("topic", topic)
	if err == nil {
		err = b.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			return b.admission.admit(ctx, pool, topic, int64(n), wait)
		})
	}
	if err != nil {
		return fmt.Errorf("postgres: admit to %s: %w", topic, err)
	}
	return nil
}

// admission knows about how much waits in the topics that it was asked about.
type admission struct {
	backend *Backend

	mu     sync.Mutex
	topics map[string]*gauge // what waits in each
}

func (a *admission) init(b *Backend) { a.backend, a.topics = b, map[string]*gauge{} }

// add is told of messages that were published here.
func (a *admission) add(topics []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, topic := range topics {
		if l := a.topics[topic]; l != nil {
			l.add(1)
		}
	}
}

func (a *admission) of(topic string) *gauge {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.topics[topic]
	if l == nil {
		l = &gauge{}
		a.topics[topic] = l
	}
	return l
}

func (a *admission) admit(ctx context.Context, pool *pgxpool.Pool, topic string, n int64, wait bool) error {
	l, most := a.of(topic), int64(a.backend.config.MaxWork)
	fits := func(waits int64) bool { return waits == 0 || waits+n <= most }
	for {
		moved := a.backend.progress.next()
		if waits, ok := l.read(); ok && fits(waits) {
			return nil
		}
		waits, err := a.backend.look(ctx, l, func(ctx context.Context) (int64, error) { return a.waiting(ctx, pool, topic) })
		switch {
		case err != nil:
			return roomless(ctx, n, err)
		case fits(waits):
			return nil
		case !wait:
			return fmt.Errorf("no room for %d messages: %w", n, backend.ErrOverloaded)
		case !pause(ctx, 100*time.Millisecond, moved):
			return roomless(ctx, n, ctx.Err())
		}
	}
}

// roomless says that ctx ended before there was room, if it was that.
func roomless(ctx context.Context, n int64, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no room for %d messages: %w: %w", n, backend.ErrOverloaded, err)
	}
	return err
}

// waiting is how much waits in a topic.
func (a *admission) waiting(ctx context.Context, pool *pgxpool.Pool, topic string) (n int64, err error) {
	err = pool.QueryRow(ctx, a.backend.config.sql(`
select coalesce(max(n.n), 0) from (
  select (
    select count(*) from {s}.position p cross join lateral (select from {s}.message m where `+unread+` limit $2) u
    where p.topic = c.topic and p.consumer = c.name
  ) + (select count(*) from {s}.waiting w where w.topic = c.topic and w.consumer = c.name) as n
  from {s}.consumer c where c.topic = $1
  union all
  select count(*) from (select from {s}.message m where m.topic = $1 limit $2) m
  where not exists (select from {s}.consumer c where c.topic = $1)
) n`), topic, a.backend.config.MaxWork+1).Scan(&n)
	return n, err
}
