package sqlite

import (
	"fmt"
	"strings"
)

// insertion inserts rows into a table, several by one statement where there
// are as many: a statement costs about as much as a row.
type insertion struct {
	columns int
	bulks   []bulk // the largest first; the last has one row
}

type bulk struct {
	rows  int
	query string
}

var (
	insertMessages = newInsertion("messages (topic, position, published, uuid, key, metadata, payload)", "(?, ?, ?, ?, ?, ?, ?)", "")
	insertRecords  = newInsertion("records (id, revision, due, expires, body)", "(?, 1, ?, ?, ?)", " ON CONFLICT DO NOTHING")
)

func newInsertion(into, row, otherwise string) *insertion {
	in := &insertion{columns: strings.Count(row, "?")}
	for _, rows := range []int{16, 4, 1} {
		all := row + strings.Repeat(", "+row, rows-1)
		in.bulks = append(in.bulks, bulk{rows, "INSERT INTO " + into + " VALUES " + all + otherwise})
	}
	return in
}

// pending are rows of a transaction that are not inserted yet.
type pending struct {
	*insertion
	args []any
}

// insert inserts a row, and returns how many that were. Without care it takes it
// for one, and inserts it with others, before anything else is asked of the
// database.
func (t *tx) insert(p *pending, args ...any) (int64, error) {
	if t.careful {
		return t.exec(p.bulks[len(p.bulks)-1].query, args...)
	}
	p.args = append(p.args, args...)
	t.wrote = true
	return 1, nil
}

// flush inserts the rows. If it cannot, the transaction is broken, whichever
// operation that comes up in.
func (p *pending) flush(t *tx) error {
	args := p.args
	p.args = args[:0]
	for _, b := range p.bulks {
		for n := b.rows * p.columns; len(args) >= n; args = args[n:] {
			inserted, err := t.session.exec(b.query, args[:n]...)
			if err == nil && inserted < int64(b.rows) {
				err = errPresent
			}
			if err != nil {
				t.broken = fmt.Errorf("%w: %w", errCareful, err)
				return t.broken
			}
		}
	}
	return nil
}

// flush inserts what is pending.
func (t *tx) flush() error {
	if err := t.records.flush(t); err != nil {
		return err
	}
	return t.messages.flush(t)
}
