package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

var _ timeline.ContentStore = (*timelines)(nil)

// PutContent implements [timeline.ContentStore]. It waits for who erases the
// recipient, or has them wait, like Add.
func (t *timelines) PutContent(ctx context.Context, c timeline.Sealed) error {
	return t.contents(ctx, "keep a content", c.NotificationID, func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := t.expire(ctx, pool); err != nil { // which is no reason to hold back what is sent
			t.store.config.Logger.WarnContext(ctx, "notify: what is too old for the timeline could not be deleted; it is tried again", "error", err)
		}
		batch := &pgx.Batch{}
		batch.Queue(begin)
		batch.Queue("select pg_advisory_xact_lock_shared($1)", t.lockOf(c.Recipient))
		batch.Queue(t.store.config.sql(`
insert into {s}.timeline_content (notification, leg, at, recipient, key_id, wrapped_key, content)
select $1, $2, $3, $4, $5, $6, $7 where not exists (select from {s}.timeline_erased where what = 'notification' and name = $1
  or what = 'recipient' and name = $4 and at >= $8)
on conflict (notification, leg) do update set at = excluded.at, recipient = excluded.recipient, key_id = excluded.key_id,
  wrapped_key = excluded.wrapped_key, content = excluded.content`),
			text(c.NotificationID), c.Leg, c.At, c.Recipient, text(c.KeyID), c.WrappedKey, c.Ciphertext, c.AcceptedAt)
		batch.Queue("commit")
		return pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return t.store.send(ctx, conn, batch) })
	})
}

// DropContents implements [timeline.ContentStore].
func (t *timelines) DropContents(ctx context.Context, notificationID string) error {
	return t.contents(ctx, "drop the contents", notificationID, func(ctx context.Context, pool *pgxpool.Pool) error {
		_, err := pool.Exec(ctx, t.store.config.sql("delete from {s}.timeline_content where notification = $1"), text(notificationID))
		return err
	})
}

// Contents implements [timeline.ContentStore].
func (t *timelines) Contents(ctx context.Context, notificationID string) (all []timeline.Sealed, err error) {
	err = t.contents(ctx, "read the contents", notificationID, func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := t.expire(ctx, pool); err != nil {
			return err
		}
		rows, err := pool.Query(ctx, t.store.config.sql(`
select leg, at, key_id, wrapped_key, content from {s}.timeline_content where notification = $1 order by leg`), text(notificationID))
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c timeline.Sealed, err error) {
			c.NotificationID = notificationID
			err = row.Scan(&c.Leg, &c.At, &c.KeyID, &c.WrappedKey, &c.Ciphertext)
			c.At = c.At.UTC()
			return c, err
		})
		return err
	})
	return all, err
}

func (t *timelines) contents(ctx context.Context, what, notification string, f func(context.Context, *pgxpool.Pool) error) error {
	if notification == "" {
		return &notify.FieldError{Field: "NotificationID", Problem: "must not be empty"}
	}
	if err := t.store.do(ctx, f); err != nil {
		return fmt.Errorf("postgres: %s of notification %q: %w", what, notification, err)
	}
	return nil
}
