package postgres

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// Erase implements [timeline.Store].
func (t *timelines) Erase(ctx context.Context, tenant, recipientID string) (erased int, err error) {
	if err := timeline.CheckErase(recipientID); err != nil {
		return 0, err
	}
	err = t.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		for {
			var n int
			err := again(func() error {
				return t.store.config.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
					n, err = t.eraseSome(ctx, tx, tenant, recipientID)
					return err
				})
			})
			if erased += n; err != nil || n < maxDeletedAtOnce {
				return err
			}
		}
	})
	if err != nil {
		return erased, fmt.Errorf("postgres: erase a recipient from the timeline: %w", err)
	}
	return erased, nil
}

// eraseSome erases the next entries of the recipient. It waits for those who are
// adding events that name the recipient, and they for it: who comes before is
// seen here, and who comes after sees that the recipient was erased.
func (t *timelines) eraseSome(ctx context.Context, tx pgx.Tx, tenant, recipientID string) (n int, err error) {
	tag, hash := timeline.RecipientTag(tenant, recipientID), timeline.RecipientHash(tenant, recipientID)
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", t.lockOf(hash)); err != nil {
		return 0, err
	}
	if _, err := tx.Exec(ctx, t.store.config.sql(`
insert into {s}.timeline_erased as e (what, name, at) values ('recipient', $1, clock_timestamp())
on conflict (what, name) do update set at = greatest(e.at, excluded.at)`), hash); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, t.store.config.sql(`
with theirs as (
  select id from {s}.timeline where recipient = $1 and tenant = $2
  union select id from {s}.timeline_tag where name = $3 and value = $4
  union select notification from {s}.timeline_content where recipient = $5 limit $6
), remembered as (
  insert into {s}.timeline_erased as e (what, name, at) select 'notification', id, clock_timestamp() from theirs order by id
  on conflict (what, name) do update set at = greatest(e.at, excluded.at)
), contents as (
  delete from {s}.timeline_content where notification in (select id from theirs)
), entries as (
  delete from {s}.timeline where id in (select id from theirs)
)
select count(*) from theirs`), text(recipientID), text(tenant), tag.Name, text(tag.Value), hash, maxDeletedAtOnce).Scan(&n)
	return n, err
}

// lockOf names the lock of a recipient, who is named by a hash, in the schema.
func (t *timelines) lockOf(recipient string) int64 {
	lock := fnv.New64a()
	lock.Write([]byte("notify timeline of " + t.store.config.Schema + "\n" + recipient))
	return int64(lock.Sum64())
}

// queueBurial removes the notification for good.
func (t *timelines) queueBurial(batch *pgx.Batch, id string) {
	sql := t.store.config.sql
	batch.Queue(sql(`
insert into {s}.timeline_erased (what, name, at) values ('notification', $1, clock_timestamp()) on conflict do nothing`), id)
	batch.Queue(sql("delete from {s}.timeline where id = $1"), id)
	batch.Queue(sql("delete from {s}.timeline_content where notification = $1"), id)
}
