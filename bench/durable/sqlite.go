package durable

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver of Raw

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// sqliteStore has a file for each backend, in a directory.
type sqliteStore struct {
	dir   string
	files int
}

// OpenSQLite makes a directory for files in dir, or where temporary files go.
func OpenSQLite(dir string) (Store, error) {
	made, err := os.MkdirTemp(dir, "notify-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a directory: %w", err)
	}
	return &sqliteStore{dir: made}, nil
}

func (s *sqliteStore) file() string {
	s.files++
	return filepath.Join(s.dir, strconv.Itoa(s.files)+".db")
}

func (s *sqliteStore) Backend() (Backend, func() error, error) {
	b := sqlite.Open(s.file())
	if _, err := b.Publisher(); err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return b, b.Close, nil
}

func (s *sqliteStore) Timeline(n *notify.Notifier) (timeline.Store, func() error, error) {
	b := sqlite.Open(s.file())
	if _, err := b.Publisher(); err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return b.Timeline(n), b.Close, nil
}

func (s *sqliteStore) Close() error { return os.RemoveAll(s.dir) }

// sqliteTables are the backend's, as far as they are used.
const sqliteTables = `
	CREATE TABLE messages (
		id        INTEGER PRIMARY KEY,
		topic     INTEGER NOT NULL,
		position  INTEGER NOT NULL,
		published TEXT    NOT NULL,
		uuid      TEXT    NOT NULL,
		key       TEXT    NOT NULL,
		metadata  TEXT    NOT NULL,
		payload   ANY     NOT NULL
	) STRICT;
	CREATE UNIQUE INDEX messages_position ON messages (topic, position);
	CREATE TABLE records (
		id       TEXT    NOT NULL PRIMARY KEY,
		revision INTEGER NOT NULL,
		due      TEXT,
		expires  TEXT,
		body     ANY     NOT NULL
	) STRICT;
	CREATE INDEX records_due ON records (due) WHERE due IS NOT NULL;
	CREATE INDEX records_expires ON records (expires) WHERE expires IS NOT NULL;
	CREATE INDEX records_idle ON records (expires) WHERE due IS NULL AND expires IS NOT NULL;`

func (s *sqliteStore) Raw() (Raw, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: s.file(), RawQuery: "_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)&_pragma=wal_autocheckpoint(4000)"}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, fmt.Errorf("open a file: %w", err)
	}
	db.SetMaxOpenConns(1)
	r := &sqliteRaw{db: db}
	if _, err := db.Exec(sqliteTables); err != nil {
		return nil, errors.Join(fmt.Errorf("make tables: %w", err), db.Close())
	}
	var problems [2]error
	r.message, problems[0] = db.Prepare(`INSERT INTO messages (topic, position, published, uuid, key, metadata, payload) VALUES (1, ?, ?, ?, ?, ?, ?)`)
	r.record, problems[1] = db.Prepare(`INSERT INTO records (id, revision, due, expires, body) VALUES (?, 1, ?, ?, ?)`)
	if err := errors.Join(problems[:]...); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare: %w", err), r.Close())
	}
	return r, nil
}

// sqliteRaw waits for the disk once for each call.
type sqliteRaw struct {
	db              *sql.DB
	message, record *sql.Stmt

	mu       sync.Mutex // SQLite has one writer
	position int64      // guarded by mu
}

func (r *sqliteRaw) Publish(m Row) error { return r.insert(m, nil) }

func (r *sqliteRaw) Accept(m Row, record *Record) error { return r.insert(m, record) }

// asText is a time as the backend stores it.
func asText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (r *sqliteRaw) insert(m Row, record *Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx := context.Background()
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if record != nil {
		_, err = tx.StmtContext(ctx, r.record).Exec(m.ID, asText(record.Due), asText(record.Expires), record.Body)
	}
	if err == nil {
		_, err = tx.StmtContext(ctx, r.message).Exec(r.position, asText(time.Now()), m.ID, m.Key, string(m.Metadata), m.Payload)
		r.position++
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (r *sqliteRaw) Close() error { return r.db.Close() }
