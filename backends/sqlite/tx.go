package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// tx is a transaction of the writer's. What is changed in memory along with
// the database is changed back if the database is, and becomes known to others
// once the transaction is on disk.
type tx struct {
	*session
	store *store
	now   time.Time
	stamp string // now, as text
	// broken is why the whole transaction cannot go on.
	broken error
	// careful has each operation under a savepoint. Without, one that fails after
	// it has written something breaks the transaction, with errCareful.
	careful bool
	wrote   bool // the operation, perhaps

	records, messages *pending // without care

	undo    []func()
	after   []func()
	op      uint64 // counts the operations, across transactions
	touched []*topic
	fresh   map[string]*topic
	// forgotten are the groups that were: what they finished meanwhile is not
	// written down, since others may have their IDs by then.
	forgotten []int64
}

// onUndo has f called if what was done last is taken back.
func (t *tx) onUndo(f func()) { t.undo = append(t.undo, f) }

// onCommit has f called when the transaction is on disk.
func (t *tx) onCommit(f func()) { t.after = append(t.after, f) }

var (
	// errCareful says that the operations have to be run again, with care.
	errCareful = errors.New("an operation failed half way")
	errPresent = errors.New("a row is there already")
)

// exec is the session's, after what is pending.
func (t *tx) exec(query string, args ...any) (int64, error) {
	if err := t.flush(); err != nil {
		return 0, err
	}
	return t.direct(query, args...)
}

// direct is exec for what does not depend on anything that is pending.
func (t *tx) direct(query string, args ...any) (int64, error) {
	n, err := t.session.exec(query, args...)
	t.wrote = t.wrote || n > 0 || err != nil
	return n, err
}

// row is the session's, after what is pending.
func (t *tx) row(query string, args []any, into ...any) error {
	if err := t.reading(query); err != nil {
		return err
	}
	return t.session.row(query, args, into...)
}

// each is the session's, after what is pending.
func (t *tx) each(query string, args []any, f func(scan func(into ...any) error) (bool, error)) error {
	if err := t.reading(query); err != nil {
		return err
	}
	return t.session.each(context.Background(), query, args, f)
}

// reading comes before a statement that returns rows, and may write.
func (t *tx) reading(query string) error {
	t.wrote = t.wrote || !strings.HasPrefix(query, "SELECT")
	return t.flush()
}

// try runs an operation, and takes it back if it fails.
func (t *tx) try(f func(*tx) error) error {
	t.store.ops++
	t.op = t.store.ops
	if t.careful {
		return t.tryCarefully(f)
	}
	undo, after := len(t.undo), len(t.after)
	t.wrote = false
	err := f(t)
	if err != nil && t.wrote && t.broken == nil {
		t.broken = fmt.Errorf("%w: %w", errCareful, err)
	}
	if err != nil {
		t.revert(undo)
		t.after = t.after[:after]
	}
	return err
}

// tryCarefully is try with a savepoint: two statements more, which would be a
// third of what a small operation costs.
func (t *tx) tryCarefully(f func(*tx) error) error {
	undo, after := len(t.undo), len(t.after)
	if _, t.broken = t.exec("SAVEPOINT op"); t.broken != nil {
		return t.broken
	}
	err := f(t)
	if err != nil {
		t.revert(undo)
		t.after = t.after[:after]
		if _, t.broken = t.exec("ROLLBACK TO op"); t.broken != nil {
			t.broken = err // which had taken back the transaction
			return err
		}
	}
	if _, t.broken = t.exec("RELEASE op"); t.broken != nil {
		return t.broken
	}
	return err
}

// finish writes what belongs to the transaction as a whole.
func (t *tx) finish() error {
	if err := t.flush(); err != nil {
		return err
	}
	if err := t.savePositions(); err != nil {
		return err
	}
	for _, topic := range t.touched {
		if _, err := t.exec("UPDATE topics SET next = ? WHERE id = ?", topic.next, topic.id); err != nil {
			return err
		}
	}
	return nil
}

// revert changes back what was changed in memory since there were n undos.
func (t *tx) revert(n int) {
	for i := len(t.undo) - 1; i >= n; i-- {
		t.undo[i]()
	}
	t.undo = t.undo[:n]
}

// happened makes known what is on disk now.
func (t *tx) happened() {
	for _, f := range t.after {
		f()
	}
	for _, topic := range t.touched {
		topic.tail.Store(topic.next)
		topic.appended.broadcast()
	}
}

// count adds to a number that the writer keeps.
func (t *tx) count(n *int, by int) {
	*n += by
	t.onUndo(func() { *n -= by })
}

// topic returns the topic, new if it has to be.
func (t *tx) topic(name string) (*topic, error) {
	if found := t.fresh[name]; found != nil {
		return found, nil
	}
	if found := t.store.topic(name); found != nil {
		return found, nil
	}
	made := newTopic(t.store, name)
	err := t.row("INSERT INTO topics (name, oldest, next) VALUES (?, 0, 0) RETURNING id", []any{name}, &made.id)
	if err != nil {
		return nil, err
	}
	if t.fresh == nil {
		t.fresh = map[string]*topic{}
	}
	t.fresh[name] = made
	t.onUndo(func() { delete(t.fresh, name) })
	t.onCommit(func() { t.store.add(made) })
	return made, nil
}

// append writes a message, which is nobody else's, at the end of the topic's
// log.
func (t *tx) append(topic *topic, r *row) error {
	position, published := t.reserve(topic)
	t.onCommit(func() { topic.end.add(position, r) })
	_, err := t.insert(t.messages, topic.id, position, published, r.uuid, r.key, r.metadata, r.payload)
	return err
}

// reserve returns the place and time of the topic's next message. Clocks may go
// back; times in a log do not.
func (t *tx) reserve(topic *topic) (position int64, published string) {
	if topic.op != t.op {
		next, last, op := topic.next, topic.last, topic.op
		t.onUndo(func() { topic.next, topic.last, topic.op = next, last, op })
		topic.op = t.op
		t.touch(topic)
	}
	position = topic.next
	topic.next++
	topic.last = max(topic.last, t.stamp)
	return position, topic.last
}

func (t *tx) touch(topic *topic) {
	for _, other := range t.touched {
		if other == topic {
			return
		}
	}
	t.touched = append(t.touched, topic)
}
