package memory

import (
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

const stripes = 16

// stripe is the part of the records that share a lock.
type stripe struct {
	mu      sync.Mutex
	byID    map[string]*entry
	due     schedule
	expires schedule
	idle    schedule // by Expires too, but only what has no Due time
}

// entry is a record with what its stripe knows of it.
type entry struct {
	backend.Record
	due, expires, idle slot
	deleted            bool
}

func (s *stripe) init() {
	s.byID = make(map[string]*entry)
	s.due.when = func(e *entry) *slot { return &e.due }
	s.expires.when = func(e *entry) *slot { return &e.expires }
	s.idle.when = func(e *entry) *slot { return &e.idle }
}

// compact keeps the schedules as small as the records.
func (s *stripe) compact() {
	s.due.compact(len(s.byID))
	s.expires.compact(len(s.byID))
	s.idle.compact(len(s.byID))
}
