package sqlite

import (
	"context"
	"database/sql/driver"
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

// mostPending is how many values wait to be inserted: it bounds what the writer keeps for
// them.
const mostPending = 2048

// pending are rows of a transaction that are not inserted yet. The writer uses
// them again for the next one.
type pending struct {
	*insertion
	args []driver.NamedValue
}

// insert inserts a row of values that the driver knows, and returns how many
// that were. Without care it takes it for one, and inserts it with others, before
// anything else is asked of the database.
func (t *tx) insert(p *pending, values ...any) (int64, error) {
	if t.careful {
		return t.exec(p.bulks[len(p.bulks)-1].query, values...)
	}
	for _, v := range values {
		p.args = append(p.args, driver.NamedValue{Value: v})
	}
	t.wrote = true
	if len(p.args) < mostPending {
		return 1, nil
	}
	return 1, p.flush(t)
}

// flush inserts the rows. If it cannot, the transaction is broken, whichever
// operation that comes up in.
func (p *pending) flush(t *tx) error {
	if len(p.args) == 0 {
		return nil
	}
	err := t.session.raw(func(conn any) error { return p.flushTo(conn.(driver.Conn), t.session) })
	p.drop()
	if err != nil {
		t.broken = fmt.Errorf("%w: %w", errCareful, err)
		return t.broken
	}
	return nil
}

func (p *pending) flushTo(conn driver.Conn, s *session) error {
	args := p.args
	for _, b := range p.bulks {
		for n := b.rows * p.columns; len(args) >= n; args = args[n:] {
			for i := range n {
				args[i].Ordinal = i + 1
			}
			inserted, err := s.execOn(conn, b.query, args[:n])
			switch {
			case err != nil:
				return err
			case inserted < int64(b.rows):
				return errPresent
			}
		}
	}
	return nil
}

// drop forgets the rows.
func (p *pending) drop() {
	clear(p.args)
	p.args = p.args[:0]
}

// flush inserts what is pending.
func (t *tx) flush() error {
	if err := t.records.flush(t); err != nil {
		return err
	}
	return t.messages.flush(t)
}

// execOn is exec on the connection itself, for what is done so often that
// database/sql would be a good part of it.
func (s *session) execOn(conn driver.Conn, query string, args []driver.NamedValue) (int64, error) {
	stmt, ok := s.onConn[query]
	if !ok {
		prepared, err := conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
		if err != nil {
			return 0, err
		}
		stmt = prepared
		s.onConn[query] = stmt
	}
	result, err := stmt.(driver.StmtExecContext).ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
