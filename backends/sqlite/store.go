package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// store is what works on an open file.
type store struct {
	config Config
	log    *slog.Logger
	file   *file
	reads  *session
	writer *writer
	dirty  dirty
	delays delays
	bodies recent[*body]
	opened time.Time

	life    context.Context // of the goroutines beside the writer's
	stop    context.CancelFunc
	stopped sync.WaitGroup

	mu     sync.RWMutex
	topics map[string]*topic

	// The rest is the writer's own.

	ops                     uint64 // counts operations
	newRecords, newMessages pending
	// How many rows there are.
	records, delayed, letters, timelines, erased, contents, costs, costSums int
	// costsForgotten is the time of the latest entry of the costs that was deleted.
	costsForgotten string
	costsDropped   costsDropped
	// Of webhooks: endpoints, messages and their bytes.
	endpoints, hooks, hookBytes int
	suppressions                int
}

func openStore(path string, c Config) (_ *store, err error) {
	s := &store{config: c, log: c.Logger, topics: map[string]*topic{}, opened: time.Now()}
	s.newRecords.insertion, s.newMessages.insertion = insertRecords, insertMessages
	if s.file, err = openFile(path, c); err != nil {
		return nil, err
	}
	read := s.file.read
	s.reads = newSession(read.PrepareContext)
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("read: %w", err), s.reads.close(), s.file.close())
	}
	s.writer = newWriter(s.file.write, s.begin, s.dirty.empty)
	s.writer.failed = func(err error) {
		s.log.Warn("notify: the positions of groups could not be written; it is tried again", "file", s.file.path, "error", err)
	}
	s.dirty.marked = s.writer.wake
	go s.writer.run()
	s.life, s.stop = context.WithCancel(context.Background())
	s.stopped.Go(func() { s.delays.run(s.life, s) })
	s.stopped.Go(func() { s.sweep(s.life) })
	return s, nil
}

func (s *store) begin(session *session) *tx {
	now := time.Now()
	s.newRecords.drop() // of a transaction that was broken
	s.newMessages.drop()
	return &tx{session: session, store: s, now: now, stamp: text(now), records: &s.newRecords, messages: &s.newMessages}
}

// load reads what is kept in memory of what is in the file.
func (s *store) load() error {
	for table, n := range map[string]*int{
		"records": &s.records, "delayed": &s.delayed, "dead_letters": &s.letters, "timeline": &s.timelines,
		"cost_entries": &s.costs, "cost_sums": &s.costSums,
		"timeline_erased": &s.erased, "timeline_contents": &s.contents,
		"webhook_endpoints": &s.endpoints, "suppressions": &s.suppressions,
	} {
		if err := s.reads.row("SELECT count(*) FROM "+table, nil, n); err != nil {
			return err
		}
	}
	if err := s.reads.row("SELECT at FROM cost_forgotten", nil, &s.costsForgotten); err != nil && !isNoRows(err) {
		return err
	}
	if err := s.loadCostsDropped(); err != nil {
		return err
	}
	err := s.reads.row("SELECT count(*), coalesce(sum(size), 0) FROM webhook_messages", nil, &s.hooks, &s.hookBytes)
	if err != nil {
		return err
	}
	var due sql.NullString
	if err := s.reads.row("SELECT min(due) FROM delayed", nil, &due); err != nil {
		return err
	}
	s.delays.next = moment(due)
	byID := map[int64]*topic{}
	err = s.reads.each(context.Background(), `SELECT id, name, oldest, next,
		coalesce((SELECT published FROM messages WHERE topic = t.id ORDER BY position DESC LIMIT 1), '') FROM topics t`, nil,
		func(scan func(...any) error) (bool, error) {
			t := newTopic(s, "")
			var oldest int64
			if err := scan(&t.id, &t.name, &oldest, &t.next, &t.last); err != nil {
				return false, err
			}
			t.oldest.Store(oldest)
			t.first = oldest
			t.tail.Store(t.next)
			s.topics[t.name], byID[t.id] = t, t
			return true, nil
		})
	if err != nil {
		return err
	}
	return s.reads.each(context.Background(), `SELECT topic, id, group_name, next, seen, abandoned,
		(SELECT count(*) FROM waiting w WHERE w.group_id = p.id) FROM positions p`, nil,
		func(scan func(...any) error) (bool, error) {
			var topic, next, waits int64
			var seen, abandoned sql.NullString
			g := &group{}
			if err := scan(&topic, &g.id, &g.name, &next, &seen, &abandoned, &waits); err != nil {
				return false, err
			}
			g.topic = byID[topic]
			g.seen, g.abandoned = moment(seen), abandoned.Valid
			g.next.Store(next)
			g.waits.Store(waits)
			g.topic.groups[g.name] = g
			return true, nil
		})
}

// do has the writer run f: see [writer.do].
func (s *store) do(ctx context.Context, f func(*tx) error) error { return s.writer.do(ctx, 0, f) }

func (s *store) topic(name string) *topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.topics[name]
}

func (s *store) add(t *topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.topics[t.name] = t
}

func (s *store) all() []*topic {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*topic, 0, len(s.topics))
	for _, t := range s.topics {
		all = append(all, t)
	}
	return all
}

// closeWindows ends the members of all groups, and waits for their handlers.
func (s *store) closeWindows() {
	var ending sync.WaitGroup
	for _, t := range s.all() {
		for _, g := range t.all() {
			ending.Go(g.close)
		}
	}
	ending.Wait()
}

// close closes the file once nobody uses it.
func (s *store) close() error {
	s.stop()
	s.stopped.Wait()
	return errors.Join(s.writer.close(), s.reads.close(), s.file.close())
}
