package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Erase implements [timeline.Store]. What is erased is overwritten in the file,
// and the write-ahead log is emptied, as far as nobody reads from it.
func (s *timelines) Erase(ctx context.Context, tenant, recipientID string) (erased int, err error) {
	if err := timeline.CheckErase(recipientID); err != nil {
		return 0, err
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		now := text(time.Now())
		for again := true; again && err == nil; {
			var ids []string
			err = opened.do(ctx, func(t *tx) (err error) {
				ids, err = t.eraseSome(tenant, recipientID, now)
				return err
			})
			if err == nil {
				erased += len(ids)
			}
			for _, id := range ids {
				s.recent.drop(id)
			}
			again = len(ids) == drops
		}
		if err == nil {
			err = opened.emptyLog(ctx)
		}
	}
	if err != nil {
		return erased, fmt.Errorf("sqlite: erase a recipient from the timeline: %w", err)
	}
	return erased, nil
}

// eraseSome erases the next entries of the recipient, and returns their IDs.
func (t *tx) eraseSome(tenant, recipientID, now string) (ids []string, err error) {
	if err := t.remember("recipient", timeline.RecipientHash(tenant, recipientID), now); err != nil {
		return nil, err
	}
	tag, hash := timeline.RecipientTag(tenant, recipientID), timeline.RecipientHash(tenant, recipientID)
	err = t.each(`SELECT notification FROM timeline WHERE recipient = ? AND tenant = ?
		UNION SELECT notification FROM timeline_tags WHERE name = ? AND value = ?
		UNION SELECT notification FROM timeline_contents WHERE recipient = ? LIMIT ?`,
		[]any{recipientID, tenant, tag.Name, tag.Value, hash, drops}, func(scan func(...any) error) (bool, error) {
			var id string
			if err := scan(&id); err != nil {
				return false, err
			}
			ids = append(ids, id)
			return true, nil
		})
	for _, id := range ids {
		if err == nil {
			err = t.bury(id, now)
		}
	}
	return ids, err
}

// bury removes a notification for good, and has it overwritten in the file.
func (t *tx) bury(id, now string) error {
	if err := t.remember("notification", id, now); err != nil {
		return err
	}
	return t.overwriting(func() error {
		n, err := t.exec("DELETE FROM timeline WHERE notification = ?", id)
		t.count(&t.store.timelines, -int(n))
		if err == nil {
			err = t.dropContents(id)
		}
		return err
	})
}

// overwriting has what f deletes overwritten in the file.
func (t *tx) overwriting(f func() error) error {
	err := t.overwrite("ON")
	if err == nil {
		err = f()
	}
	return errors.Join(err, t.overwrite("FAST"))
}

// overwrite sets how far what is deleted is: FAST leaves out whole pages. Such a pragma works when it is
// prepared: a statement that is kept would do nothing.
func (t *tx) overwrite(set string) error {
	return t.session.raw(func(conn any) error {
		_, err := conn.(driver.ExecerContext).ExecContext(context.Background(), "PRAGMA secure_delete = "+set, nil)
		return err
	})
}

func (t *tx) remember(what, name, now string) error {
	n, err := t.exec("UPDATE timeline_erased SET at = max(at, ?) WHERE what = ? AND name = ?", now, what, name)
	if err == nil && n == 0 {
		n, err = t.exec("INSERT INTO timeline_erased (what, name, at) VALUES (?, ?, ?)", what, name, now)
		t.count(&t.store.erased, int(n))
	}
	return err
}

// wasErased tells whether the event is of a notification that was erased, or has
// to be because of it.
func (t *tx) wasErased(e *notify.Envelope) (bool, error) {
	if t.store.erased == 0 {
		return false, nil
	}
	var whole, recipient bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM timeline_erased WHERE what = 'notification' AND name = ?),
		EXISTS (SELECT 1 FROM timeline_erased WHERE what = 'recipient' AND name = ? AND at >= ?)`,
		[]any{e.NotificationID, timeline.RecipientHash(e.Tenant, e.RecipientID), text(e.Time)}, &whole, &recipient)
	if err != nil || whole || !recipient || e.RecipientID == "" {
		return whole, err
	}
	return true, t.bury(e.NotificationID, t.stamp)
}

// contentWasErased tells whether the content is of a notification that was
// erased, or of a recipient who was.
func (t *tx) contentWasErased(c *timeline.Sealed) (erased bool, err error) {
	if t.store.erased == 0 {
		return false, nil
	}
	err = t.row(`SELECT EXISTS (SELECT 1 FROM timeline_erased WHERE what = 'notification' AND name = ?
		OR what = 'recipient' AND name = ? AND at >= ?)`, []any{c.NotificationID, c.Recipient, text(c.AcceptedAt)}, &erased)
	return erased, err
}

// emptyLog moves the write-ahead log into the database, and truncates it: a
// connection that may only query may do so.
func (s *store) emptyLog(ctx context.Context) error {
	var busy, pages, moved int
	return s.file.read.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
}

// forgetErased forgets what was erased longer ago than the timeline keeps, or is
// more than it keeps, and returns how much.
func (t *tx) forgetErased(now time.Time) (int, error) {
	c := t.store.config
	n, err := t.exec(`DELETE FROM timeline_erased WHERE (what, name) IN
		(SELECT what, name FROM timeline_erased WHERE at < ? ORDER BY at LIMIT ?)`, text(now.Add(-c.TimelineFor)), drops)
	t.count(&t.store.erased, -int(n))
	if surplus := t.store.erased - c.MaxTimeline; err == nil && surplus > 0 && n < drops {
		var more int64
		more, err = t.exec("DELETE FROM timeline_erased WHERE (what, name) IN (SELECT what, name FROM timeline_erased ORDER BY at LIMIT ?)", min(surplus, drops))
		t.count(&t.store.erased, -int(more))
		n += more
	}
	return int(n), err
}
