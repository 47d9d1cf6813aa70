package sqlite

import (
	"context"
	"sync"
	"time"
)

// delays brings messages to their topics when it is their time.
type delays struct {
	mu     sync.Mutex
	next   time.Time // of the first, or somewhat earlier; zero: none waits
	sooner broadcast
}

// longest is how long it waits without looking at the clock, which may be set.
const longest = 30 * time.Second

// moves is how many are brought in one transaction.
const moves = 256

// expect has it look at that time.
func (d *delays) expect(at time.Time) {
	d.mu.Lock()
	sooner := d.next.IsZero() || at.Before(d.next)
	if sooner {
		d.next = at
	}
	d.mu.Unlock()
	if sooner {
		d.sooner.broadcast()
	}
}

// due tells how long it is until the first is due; ok is false if none waits.
func (d *delays) due() (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next.IsZero() {
		return 0, false
	}
	return min(time.Until(d.next), longest), true
}

func (d *delays) run(ctx context.Context, s *store) {
	for ctx.Err() == nil {
		sooner := d.sooner.next()
		wait, ok := d.due()
		if ok && wait <= 0 {
			if err := s.do(ctx, func(t *tx) error { return t.moveDue() }); err != nil && ctx.Err() == nil {
				s.log.Warn("notify: delayed messages could not be published; it is tried again", "error", err)
				sleep(ctx, time.Second)
			}
			continue
		}
		if !ok {
			wait = longest
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-sooner:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// delay keeps a message until its time.
func (t *tx) delay(topic *topic, r *row, at time.Time) error {
	_, err := t.exec("INSERT INTO delayed (due, topic, uuid, key, metadata, payload) VALUES (?, ?, ?, ?, ?, ?)",
		notBefore(at), topic.id, r.uuid, r.key, r.metadata, r.payload)
	t.count(&t.store.delayed, 1)
	t.onCommit(func() { t.store.delays.expect(at) })
	return err
}

// moveDue appends what is due to the topics, the longest overdue first.
func (t *tx) moveDue() error {
	type found struct {
		id    int64
		topic string
	}
	var all []found
	var next time.Time
	err := t.each("SELECT d.id, d.due, t.name FROM delayed d JOIN topics t ON t.id = d.topic ORDER BY d.due, d.id LIMIT ?",
		[]any{moves + 1}, func(scan func(...any) error) (bool, error) {
			var one found
			var stored storedRow
			if err := scan(&one.id, &stored.due, &one.topic); err != nil {
				return false, err
			}
			if due := moment(stored.due); due.After(t.now) || len(all) == moves {
				next = due
				return false, nil
			}
			all = append(all, one)
			return true, nil
		})
	if err != nil {
		return err
	}
	for _, one := range all {
		if err := t.moveOne(one.id, one.topic); err != nil {
			return err
		}
	}
	t.count(&t.store.delayed, -len(all))
	t.onCommit(func() { t.store.delays.moved(next) })
	return nil
}

func (t *tx) moveOne(id int64, name string) error {
	topic, err := t.topic(name)
	if err != nil {
		return err
	}
	position, published := t.reserve(topic)
	if _, err := t.exec(`INSERT INTO messages (topic, position, published, uuid, key, metadata, payload)
		SELECT topic, ?, ?, uuid, key, metadata, payload FROM delayed WHERE id = ?`, position, published, id); err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM delayed WHERE id = ?", id)
	return err
}

// moved is called, by the writer, with the time of the first that still waits.
func (d *delays) moved(next time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next = next
}
