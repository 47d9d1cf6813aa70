package sqlite

import (
	"sync"

	"github.com/seed-6c01d079/notify/backend/window"
)

const (
	tailMessages = 1024    // to a topic
	tailBytes    = 4 << 20 // to a topic
)

// tail is the end of a topic's log as it was published, for groups that keep
// up: they need not read the file.
type tail struct {
	mu    sync.Mutex
	first int64 // the position of the first of rows
	rows  []*row
	bytes int
}

// add appends what was published at the position. If others came between, that
// were not added, it begins anew.
func (l *tail) add(position int64, r *row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if position != l.first+int64(len(l.rows)) {
		l.first, l.rows, l.bytes = position, nil, 0
	}
	l.rows = append(l.rows, r)
	l.bytes += r.size
	for len(l.rows) > tailMessages || l.bytes > tailBytes {
		l.bytes -= l.rows[0].size
		l.rows[0] = nil
		l.rows = l.rows[1:]
		l.first++
	}
}

// read returns a page from <= position < to of the caller's own messages, or
// none if it does not have the first of it.
func (l *tail) read(from, to int64) (items []window.Item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from < l.first || from >= l.first+int64(len(l.rows)) {
		return nil
	}
	rows := l.rows[from-l.first : min(int64(len(l.rows)), to-l.first, from-l.first+page)]
	items = make([]window.Item, len(rows))
	for i, r := range rows {
		items[i] = window.Item{Position: from + int64(i), Message: r.copy()}
	}
	return items
}
