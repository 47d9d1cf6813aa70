package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

var _ timeline.ContentStore = (*timelines)(nil)

// PutContent implements [timeline.ContentStore].
func (s *timelines) PutContent(ctx context.Context, c timeline.Sealed) error {
	return s.write(ctx, "keep a content", c.NotificationID, len(c.Ciphertext), func(t *tx) error {
		if erased, err := t.contentWasErased(&c); erased || err != nil {
			return err
		}
		n, err := t.exec(`UPDATE timeline_contents SET at = ?, recipient = ?, key_id = ?, wrapped_key = ?, content = ?
			WHERE notification = ? AND leg = ?`,
			text(c.At), c.Recipient, c.KeyID, c.WrappedKey, c.Ciphertext, c.NotificationID, c.Leg)
		if err == nil && n == 0 {
			n, err = t.exec(`INSERT INTO timeline_contents (at, recipient, key_id, wrapped_key, content, notification, leg)
				VALUES (?, ?, ?, ?, ?, ?, ?)`,
				text(c.At), c.Recipient, c.KeyID, c.WrappedKey, c.Ciphertext, c.NotificationID, c.Leg)
			t.count(&t.store.contents, int(n))
		}
		return err
	})
}

// DropContents implements [timeline.ContentStore]. They are overwritten in the
// file, as Erase does.
func (s *timelines) DropContents(ctx context.Context, notificationID string) error {
	err := s.write(ctx, "drop the contents", notificationID, 0, func(t *tx) error {
		return t.overwriting(func() error { return t.dropContents(notificationID) })
	})
	if err != nil {
		return err
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		err = opened.emptyLog(ctx)
	}
	return err
}

func (t *tx) dropContents(notification string) error {
	n, err := t.exec("DELETE FROM timeline_contents WHERE notification = ?", notification)
	t.count(&t.store.contents, -int(n))
	return err
}

func (s *timelines) write(ctx context.Context, what, notification string, size int, f func(*tx) error) error {
	if notification == "" {
		return &notify.FieldError{Field: "NotificationID", Problem: "must not be empty"}
	}
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		err = opened.writer.do(ctx, size, f)
	}
	if err != nil {
		return fmt.Errorf("sqlite: %s of notification %q: %w", what, notification, err)
	}
	return nil
}

// Contents implements [timeline.ContentStore].
func (s *timelines) Contents(ctx context.Context, notificationID string) (all []timeline.Sealed, err error) {
	opened, err := s.backend.enter(ctx)
	if err == nil {
		defer s.backend.leave()
		err = opened.reads.each(ctx, `SELECT leg, at, key_id, wrapped_key, content FROM timeline_contents WHERE notification = ? ORDER BY leg`,
			[]any{notificationID}, func(scan func(...any) error) (bool, error) {
				c := timeline.Sealed{NotificationID: notificationID}
				var at string
				if err := scan(&c.Leg, &at, &c.KeyID, &c.WrappedKey, &c.Ciphertext); err != nil {
					return false, err
				}
				c.At, err = time.Parse(layout, at)
				all = append(all, c)
				return true, err
			})
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: contents of notification %q: %w", notificationID, err)
	}
	return all, nil
}

// expireContents deletes the next contents that are too old or too many, and
// returns how many.
func (t *tx) expireContents(now time.Time) (int, error) {
	c := t.store.config
	n, err := t.exec(`DELETE FROM timeline_contents WHERE (notification, leg) IN
		(SELECT notification, leg FROM timeline_contents WHERE at < ? ORDER BY at LIMIT ?)`, text(now.Add(-c.TimelineFor)), drops)
	t.count(&t.store.contents, -int(n))
	if surplus := t.store.contents - c.MaxTimeline; err == nil && surplus > 0 && n < drops {
		var more int64
		more, err = t.exec(`DELETE FROM timeline_contents WHERE (notification, leg) IN
			(SELECT notification, leg FROM timeline_contents ORDER BY at LIMIT ?)`, min(surplus, drops))
		t.count(&t.store.contents, -int(more))
		n += more
	}
	return int(n), err
}
