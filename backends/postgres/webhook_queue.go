package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

const (
	// lockWanting locks in the order that all keep.
	lockWanting = `
select id, disabled = '', pending from {s}.webhook_endpoint where tenant = $1 and $2 = any(types) order by id for update`
	// addMessage comes when the endpoints are locked, so that its number is in the
	// order of the transactions.
	addMessage = `
with m as (
  insert into {s}.webhook_message (id, type, tenant, at, bytes, body) values ($1, $2, $3, $4, $5, $6)
  on conflict (id) do nothing returning number
), d as (
  insert into {s}.webhook_delivery (endpoint, number, due) select e.id, m.number, $4 from m, unnest($7::text[]) as e(id)
), e as (
  update {s}.webhook_endpoint e set pending = e.pending + 1 from m where e.id = any($7)
)
select count(*) from m`
	// touchLater is for what may only make an endpoint ready earlier, as of $2.
	touchLater = touch + ` and (e.ready is null or e.ready > $2)`
)

// Add implements [webhook.Store].
func (w *webhooks) Add(ctx context.Context, m webhook.Message) (endpoints int, err error) {
	var added bool
	err = w.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error { return w.room(ctx, pool, len(m.Body)) })
	if err == nil {
		err = w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
			endpoints, added, err = w.add(ctx, conn, m)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("postgres: add webhook message %q: %w", m.ID, err)
	}
	if added {
		w.messages.add(1)
		w.bytes.add(int64(len(m.Body)))
	}
	return endpoints, nil
}

func (w *webhooks) add(ctx context.Context, conn *pgxpool.Conn, m webhook.Message) (endpoints int, added bool, err error) {
	var ids, full []string // enabled ones, and those of them that have no room
	wanted, known := false, false
	b := w.begin()
	b.add(lockWanting, text(m.Tenant), text(m.Type)).Query(func(rows pgx.Rows) error {
		var id string
		var enabled bool
		var pending int
		_, err := pgx.ForEachRow(rows, []any{&id, &enabled, &pending}, func() error {
			wanted = true
			if enabled {
				ids = append(ids, id)
			}
			if enabled && pending >= w.store.config.MaxWebhookPending {
				full = append(full, id)
			}
			return nil
		})
		return err
	})
	b.add("select exists (select from {s}.webhook_message where id = $1)", text(m.ID)).QueryRow(func(row pgx.Row) error { return row.Scan(&known) })
	if err := b.send(ctx, conn); err != nil {
		return 0, false, err
	}
	b = w.batch()
	if wanted && !known {
		if len(full) > 0 {
			// More than one, if the cap was lowered.
			b.add(dropOldest, full, w.store.config.MaxWebhookPending, max(maxDeletedAtOnce/len(full), 2))
		}
		body := append([]byte{}, m.Body...) // not nil, which is null
		b.add(addMessage, text(m.ID), text(m.Type), text(m.Tenant), m.At, len(body), body, append([]string{}, ids...)).QueryRow(func(row pgx.Row) error {
			return row.Scan(&endpoints) // messages
		})
		b.add(touchLater, ids, m.At)
		if len(full) > 0 {
			b.add(touch, full)
		}
	}
	if err := b.commit(ctx, conn); err != nil {
		return 0, false, err
	}
	added = endpoints > 0
	if added {
		endpoints = len(ids)
	}
	return endpoints, added, nil
}

const (
	lockEndpoint = "select true from {s}.webhook_endpoint where id = $1 and tenant = $2 for update"
	// noteAttempt does so once, whatever the caller heard of it: a claim that still
	// holds cannot have been finished before.
	noteAttempt = `
with l as (
  select e.id, coalesce((select max(a.number) from {s}.webhook_attempt a where a.endpoint = e.id), 0) as last
  from {s}.webhook_endpoint e where e.id = $1 and e.tenant = $12
), g as (
  delete from {s}.webhook_attempt a using l where a.endpoint = l.id and a.number <= l.last + 1 - $11
)
insert into {s}.webhook_attempt (endpoint, number, token, message, type, attempt, at, took, status, failure, next)
select l.id, l.last + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10 from l
where exists (select from {s}.webhook_delivery d where d.endpoint = $1 and d.token = $2) or not exists (
  select from {s}.webhook_attempt a where a.endpoint = $1
  and (a.token, a.attempt, a.at, a.took, a.status, a.failure) = ($2, $5, $6, $7, $8, $9)
)`
	endDelivery  = "with d as (delete from {s}.webhook_delivery where endpoint = $1 and token = $2 returning 1 as gone)"
	backDelivery = `with d as (
  update {s}.webhook_delivery set attempts = $11, due = $12, token = null where endpoint = $1 and token = $2 returning 0 as gone)`
	finishClaim = `
update {s}.webhook_endpoint e set
  pending = e.pending - d.gone,
  slow = case when x.same then $3 else e.slow end,
  proven = e.proven or $4 and x.same,
  failing = case when not x.same then e.failing when $4 then null else coalesce(e.failing, $5) end,
  held = case when x.same then greatest(e.held, $6) else e.held end,
  disabled = case when x.disables then $7 else e.disabled end,
  disabled_at = case when x.disables then $5::timestamptz + make_interval(secs => $8) else e.disabled_at end
from d, (
  select url = $10 as same, url = $10 and $7 <> '' and disabled = '' and ($7 <> 'failing' or failing is not distinct from $9) as disables
  from {s}.webhook_endpoint where id = $1
) x
where e.id = $1`
)

// Finish implements [webhook.Store].
func (w *webhooks) Finish(ctx context.Context, c webhook.Claim, o webhook.Outcome) error {
	id, a := text(c.Status.ID), o.Attempt
	return endpointError("finish a call of", c.Status.ID, w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var found, locked bool
		b := w.begin()
		b.add(lockEndpoint, id, text(c.Status.Tenant)).QueryRow(one(&found, &locked))
		b.add(noteAttempt, id, c.Token, text(a.MessageID), text(a.Type), a.Number, a.At, int64(a.Took), a.Status, text(string(a.Failure)), at(a.Next),
			w.store.config.MaxWebhookAttempts, text(c.Status.Tenant))
		w.finish(b, c, o)
		b.add(touch, []string{id})
		err := b.commit(ctx, conn)
		if err == nil && !found {
			err = notify.ErrNotFound
		}
		return err
	}))
}

// finish has what the claim holds end or wait again, and changes the endpoint.
func (w *webhooks) finish(b *batch, c webhook.Claim, o webhook.Outcome) {
	a := o.Attempt
	args := []any{
		text(c.Status.ID), c.Token, o.Slow, a.Succeeded(), a.At, timestamp(o.Hold), text(string(o.Disable)), a.Took.Seconds(), at(c.Status.FailingSince),
		text(c.Status.URL),
	}
	if o.Next.IsZero() {
		b.add(endDelivery+finishClaim, args...)
	} else {
		b.add(backDelivery+finishClaim, append(args, c.Number, timestamp(o.Next))...)
	}
}

// Replay implements [webhook.Store]. What is due at the same time as rest, and
// waits already, is passed by the next time.
func (w *webhooks) Replay(ctx context.Context, id string, from time.Time) (messages int, rest time.Time, err error) {
	err = w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var found bool
		var tenant string
		var types []string
		var pending int
		b := w.begin()
		b.add("select tenant, types, pending from {s}.webhook_endpoint where id = $1 for update", text(id)).QueryRow(one(&found, &tenant, &types, &pending))
		if err := b.send(ctx, conn); err != nil {
			return err
		}
		b = w.batch()
		var at *time.Time
		if found {
			room := max(w.store.config.MaxWebhookPending-pending, 0)
			b.add(replayMessages, text(id), tenant, types, from, room).QueryRow(func(row pgx.Row) error { return row.Scan(&messages, &at) })
			b.add(touch, []string{text(id)})
		}
		err := b.commit(ctx, conn)
		rest = utc(at)
		if err == nil && !found {
			err = notify.ErrNotFound
		}
		return err
	})
	if err != nil {
		return 0, time.Time{}, endpointError("replay to", id, err)
	}
	return messages, rest, nil
}

// replayMessages passes by what is being dropped.
const replayMessages = `
with f as (
  select m.number, m.at from {s}.webhook_message m
  where m.tenant = $2 and m.type = any($3) and m.at >= $4
  and not exists (select from {s}.webhook_delivery d where d.endpoint = $1 and d.number = m.number)
  order by m.at, m.number limit $5 + 1 for key share of m skip locked
), i as (
  insert into {s}.webhook_delivery (endpoint, number, due)
  select $1, number, at from (select * from f order by at, number limit $5) f returning 1
), e as (
  update {s}.webhook_endpoint set pending = pending + (select count(*) from i) where id = $1
)
select (select count(*) from i), (select at from f order by at, number offset $5 limit 1)`
