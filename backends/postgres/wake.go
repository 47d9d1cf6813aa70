package postgres

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// announcePause is the least time between two announcements to other processes.
const announcePause = 5 * time.Millisecond

// The kinds of announcement: there are messages, or partitions to be shared
// anew. Its text is the process's ID, the kind and the topic, in lines.
const (
	kindMessages = "m"
	kindLeases   = "l"
	kindOutbox   = "o" // there is something in the outbox: without process and topic
)

// waker tells those who wait for a topic that there is something: in this
// process at once, in others by NOTIFY. That is a transaction of its own, after
// the one that it is about: NOTIFY makes the commits of a database wait for each
// other. What is lost so, in a crash, is found by polling.
type waker struct {
	backend *Backend
	pending chan struct{}

	mu    sync.Mutex
	texts map[string]struct{} // to be announced
}

func (w *waker) init(b *Backend) {
	w.backend, w.pending, w.texts = b, make(chan struct{}, 1), map[string]struct{}{}
}

// wake is called once messages of a topic are committed, or partitions of it
// are free.
func (w *waker) wake(kind, topic string) {
	w.local(kind, topic)
	text := strings.Join([]string{w.backend.id, kind, topic}, "\n")
	w.mu.Lock()
	w.texts[text] = struct{}{}
	w.mu.Unlock()
	signal(w.pending)
}

// local wakes those of this process.
func (w *waker) local(kind, topic string) {
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	for key, s := range w.backend.shares {
		if key.topic == topic {
			s.wake(kind)
		}
	}
}

// all wakes everybody of this process.
func (w *waker) all() {
	w.backend.mu.Lock()
	defer w.backend.mu.Unlock()
	for _, s := range w.backend.shares {
		s.wake(kindMessages)
		s.wake(kindLeases)
	}
	signal(w.backend.delays.pending)
}

// announce tells the other processes, until ctx ends.
func (w *waker) announce(ctx context.Context, pool *pgxpool.Pool) {
	for {
		select {
		case <-w.pending:
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		texts := slices.Collect(maps.Keys(w.texts))
		clear(w.texts)
		w.mu.Unlock()
		err := w.tell(ctx, pool, texts)
		if err != nil && ctx.Err() == nil {
			w.backend.complain("other processes are not told of messages, and will find them by polling", err)
		}
		if !pause(ctx, announcePause) {
			return
		}
	}
}

func (w *waker) tell(ctx context.Context, pool *pgxpool.Pool, texts []string) error {
	ctx, cancel := w.backend.inTime(ctx)
	defer cancel()
	_, err := pool.Exec(ctx, "select pg_notify($1, x) from unnest($2::text[]) x", w.backend.config.Schema, texts)
	return err
}

// listen hears what other processes announce, until ctx ends.
func (w *waker) listen(ctx context.Context, pool *pgxpool.Pool) {
	w.backend.listen(ctx, pool, w.all, func(text string) {
		// A transaction of the host's has no process: see SendTx.
		parts := strings.SplitN(text, "\n", 3)
		if len(parts) == 3 && parts[0] != w.backend.id {
			w.local(parts[1], parts[2])
		}
	})
}

// listen calls heard with what is announced, until ctx ends. It has a connection
// of its own, and makes another when that is lost. Each time it has one it calls
// begun, for what was announced before.
func (s *Store) listen(ctx context.Context, pool *pgxpool.Pool, begun func(), heard func(text string)) {
	const soon = 100 * time.Millisecond
	wait := soon
	for ctx.Err() == nil {
		at := time.Now()
		err := s.hear(ctx, pool, begun, heard)
		if ctx.Err() != nil {
			return
		}
		s.complain("the server's announcements are not heard, and messages will be found by polling", err)
		if time.Since(at) > time.Minute {
			wait = soon
		}
		pause(ctx, wait)
		wait = min(2*wait, 5*time.Second)
	}
}

func (s *Store) hear(ctx context.Context, pool *pgxpool.Pool, begun func(), heard func(text string)) error {
	pooled, err := pool.Acquire(ctx) // made as the host's pool makes them
	if err != nil {
		return explain(err)
	}
	conn := pooled.Hijack()
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{s.config.Schema}.Sanitize()); err != nil {
		return err
	}
	begun()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		heard(n.Payload)
	}
}

// complain logs what failed in the background.
func (s *Store) complain(what string, err error) {
	s.config.Logger.LogAttrs(context.Background(), slog.LevelWarn, "notify: postgres: "+what, slog.Any("error", err))
}
