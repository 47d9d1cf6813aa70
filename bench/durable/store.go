package durable

import (
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Store is a database with a backend on it.
type Store interface {
	// Backend opens a new and empty backend. The caller closes it by the
	// function.
	Backend() (Backend, func() error, error)
	// Timeline opens a new and empty timeline, in the same way.
	Timeline(n *notify.Notifier) (timeline.Store, func() error, error)
	// Raw makes tables without a backend.
	Raw() (Raw, error)
	// Close removes everything.
	Close() error
}

// Backend is what the jobs use of a backend.
type Backend interface {
	backend.Atomic
	backend.Consumer
	backend.Positioner
}

// Raw inserts rows with what a backend keeps of them. It is safe for concurrent
// use.
type Raw interface {
	// Publish inserts a message, and commits.
	Publish(m Row) error
	// Accept inserts a record and a message, and commits.
	Accept(m Row, record *Record) error
	Close() error
}

// Record is a record, as a row.
type Record struct {
	Body         []byte
	Due, Expires time.Time
}

// Row is a message, as a row.
type Row struct {
	ID, Key           string
	Metadata, Payload []byte
}
