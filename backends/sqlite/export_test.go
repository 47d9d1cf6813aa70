package sqlite

import (
	"context"
	"time"

	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Version is that of the newest schema.
const Version = version

// CommitAlone has b write each operation in a transaction of its own: what one
// wait for the disk per call comes to.
func CommitAlone(b *Backend) error {
	s, err := b.enter(context.Background())
	if err != nil {
		return err
	}
	defer b.leave()
	return s.do(context.Background(), func(*tx) error {
		s.writer.most = 1
		return nil
	})
}

// On has the file be on another of SQLite's file systems, and the log moved
// into the database when it has so many pages. synced is told when a directory
// was.
func On(vfs string, checkpoint int, synced func()) func(*Config) {
	return func(c *Config) {
		c.vfs, c.checkpoint = vfs, checkpoint
		c.syncDir = func(path string) error {
			defer synced()
			return syncDir(path)
		}
	}
}

// Sweep deletes what need not be kept any longer, as of now.
func Sweep(b *Backend, now time.Time) error {
	s, err := b.enter(context.Background())
	if err != nil {
		return err
	}
	defer b.leave()
	return s.sweepOnce(context.Background(), now)
}

// Hold keeps the writer from writing until release is called.
func Hold(b *Backend) (release func(), err error) {
	s, err := b.enter(context.Background())
	if err != nil {
		return nil, err
	}
	held, gate := make(chan struct{}), make(chan struct{})
	go func() {
		defer b.leave()
		_ = s.do(context.Background(), func(*tx) error {
			close(held)
			<-gate
			return nil
		})
	}()
	<-held
	return func() { close(gate) }, nil
}

// Queued is how many operations wait to be written.
func Queued(b *Backend) int { return len(b.opened.Load().writer.queue) }

// DropAndFail deletes a record in an operation that then fails.
func DropAndFail(b *Backend, id string, failure error) error {
	s, err := b.enter(context.Background())
	if err != nil {
		return err
	}
	defer b.leave()
	return s.do(context.Background(), func(t *tx) error {
		if _, err := t.dropRecords("WHERE id = ?", id); err != nil {
			return err
		}
		return failure
	})
}

// ListQuery is the statement that finds a page's entries.
func ListQuery(q timeline.Query) (string, []any, error) {
	q, after, err := q.Resolve()
	query, args := listQuery(q, after)
	return query, args, err
}

// Statements are those that were prepared since b was opened.
func Statements(b *Backend) ([]string, error) {
	s, err := b.enter(context.Background())
	if err != nil {
		return nil, err
	}
	defer b.leave()
	var all []string
	err = s.do(context.Background(), func(t *tx) error {
		all = all[:0]
		for _, session := range []*session{s.reads, t.session} {
			session.mu.Lock()
			for query := range session.prepared {
				all = append(all, query)
			}
			session.mu.Unlock()
		}
		return nil
	})
	return all, err
}
