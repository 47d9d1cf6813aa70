package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/webhook"
)

// Webhooks returns the store of the database's endpoints, of what waits for them,
// and of the ledger:
//
//	hooks := webhook.New(records.Webhooks())
//	n.Attach(hooks)
//
// Any number of processes share it: an endpoint's order and its number of calls at
// once hold over all of them. What it keeps at most, and what it drops then, say
// [Config.MaxWebhookEndpoints] and those that follow it; what was dropped while it
// waited counts in [webhook.Status.Dropped]. URLs and secrets are in its tables as
// they are.
func (s *Store) Webhooks() webhook.Store { return &webhooks{store: s} }

// Everything that changes what waits for an endpoint holds the lock of its row, and
// then keeps its column ready: so a claim reads the index on that column, and finds
// nothing there of endpoints that are disabled, held or full.
type webhooks struct {
	store *Store

	messages, bytes gauge
}

// touch brings the column ready up to date, when all else is written.
const touch = `
update {s}.webhook_endpoint e set ready = (
  select greatest(f.due, l.due, e.held)
  from (select case when e.ordered
    then (select d.due from {s}.webhook_delivery d where d.endpoint = e.id order by d.number limit 1)
    else (select d.due from {s}.webhook_delivery d where d.endpoint = e.id order by d.due, d.number limit 1)
  end as due) f
  left join lateral ( -- when one of its calls ends, if there may be no more
    select d.due from {s}.webhook_delivery d where d.endpoint = e.id and d.token is not null
    order by d.due desc offset e.calls - 1 limit 1
  ) l on true
  where f.due is not null and e.disabled = ''
) where e.id = any($1)`

// within does f on a connection, again if two transactions waited for each other.
func (w *webhooks) within(ctx context.Context, f func(ctx context.Context, conn *pgxpool.Conn) error) error {
	return w.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		return again(func() error {
			return pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return f(ctx, conn) })
		})
	})
}

// batch is a part of a transaction that is sent at once.
type batch struct {
	pgx.Batch
	store *Store
}

func (w *webhooks) batch() *batch { return &batch{store: w.store} }

func (w *webhooks) begin() *batch {
	b := w.batch()
	b.Queue(begin)
	b.Queue(w.store.config.idleFor())
	return b
}

func (b *batch) add(sql string, args ...any) *pgx.QueuedQuery {
	return b.Queue(b.store.config.sql(sql), args...)
}

func (b *batch) send(ctx context.Context, conn *pgxpool.Conn) error {
	return b.store.send(ctx, conn, &b.Batch)
}

// commit sends it as the end of the transaction.
func (b *batch) commit(ctx context.Context, conn *pgxpool.Conn) error {
	b.Queue("commit")
	return b.send(ctx, conn)
}

// one scans the row of a query, if there is one.
func one(found *bool, to ...any) func(pgx.Row) error {
	*found = false
	return func(row pgx.Row) error {
		err := row.Scan(to...)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		*found = err == nil
		return err
	}
}

func endpointError(operation, id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("postgres: %s endpoint %q: %w", operation, id, err)
}

// A null in an array, which nobody here writes, has no form in Go.
const statusColumns = `e.id, e.tenant, e.url, array_replace(e.secrets, null, '') as secrets, array_remove(e.types, null) as types, e.ordered, e.concurrency,
e.disabled, e.disabled_at, e.failing, e.held, e.proven, e.slow, e.pending, e.dropped`

// statusRow is a status as it is scanned.
type statusRow struct {
	webhook.Status
	secrets                          []string
	disabledAt, failingSince, heldTo *time.Time
}

func (r *statusRow) fields() []any {
	return []any{
		&r.ID, &r.Tenant, &r.URL, &r.secrets, &r.Types, &r.Ordered, &r.Concurrency,
		&r.Disabled, &r.disabledAt, &r.failingSince, &r.heldTo, &r.Proven, &r.Slow, &r.Pending, &r.Dropped,
	}
}

func (r *statusRow) status() (webhook.Status, error) {
	s := r.Status
	s.DisabledAt, s.FailingSince, s.HeldUntil = utc(r.disabledAt), utc(r.failingSince), utc(r.heldTo)
	s.Secrets = make([]webhook.Secret, len(r.secrets))
	for i, secret := range r.secrets {
		var err error
		if s.Secrets[i], err = webhook.ParseSecret(secret); err != nil {
			s.Secrets = nil
			return s, fmt.Errorf("secret %d is not as it was stored: %w", i, err)
		}
	}
	return s, nil
}

// shown is the status for the host.
func (r *statusRow) shown() webhook.Status {
	s, err := r.status()
	if err != nil && s.Disabled == "" { // as the next claim will see
		s.Disabled = webhook.DisabledUnreadable
	}
	return s
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// at is a time as the database keeps it; zero is null.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func texts(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

const putEndpoint = `
insert into {s}.webhook_endpoint as e (id, tenant, url, secrets, types, ordered, concurrency)
select $1, $2, $3, $4, $5, $6, $7
where exists (select from {s}.webhook_endpoint where id = $1)
  or (select count(*) from (select from {s}.webhook_endpoint limit $8) n) < $8
on conflict (id) do update set
  url = excluded.url, secrets = excluded.secrets, types = excluded.types, ordered = excluded.ordered, concurrency = excluded.concurrency,
  failing = case when e.url = excluded.url then e.failing end, held = case when e.url = excluded.url then e.held end,
  proven = e.proven and e.url = excluded.url, slow = e.slow and e.url = excluded.url
where e.tenant = excluded.tenant
returning true`

// Put implements [webhook.Store].
func (w *webhooks) Put(ctx context.Context, e webhook.Endpoint) error {
	secrets := make([]string, len(e.Secrets))
	for i, secret := range e.Secrets {
		secrets[i] = secret.Reveal()
	}
	most := w.store.config.MaxWebhookEndpoints
	id := text(e.ID)
	return endpointError("put", e.ID, w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var done, exists, put bool
		b := w.begin()
		b.add(putEndpoint, id, text(e.Tenant), text(e.URL), secrets, texts(e.Types), e.Ordered, e.Concurrency, most).QueryRow(one(&done, &put))
		b.add(touch, []string{id})
		b.add("select exists (select from {s}.webhook_endpoint where id = $1)", id).QueryRow(func(row pgx.Row) error { return row.Scan(&exists) })
		err := b.commit(ctx, conn)
		switch {
		case err != nil || done:
			return err
		case exists:
			return &notify.FieldError{Field: "Endpoint.Tenant", Problem: "cannot change; delete the endpoint, or use another ID"}
		default:
			return fmt.Errorf("there are %d endpoints, which is Config.MaxWebhookEndpoints: %w", most, notify.ErrOverloaded)
		}
	}))
}

const getEndpoint = "select " + statusColumns + " from {s}.webhook_endpoint e where e.id = $1"

// Get implements [webhook.Store].
func (w *webhooks) Get(ctx context.Context, id string) (s webhook.Status, err error) {
	err = w.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		var row statusRow
		err := pool.QueryRow(ctx, w.store.config.sql(getEndpoint), text(id)).Scan(row.fields()...)
		if errors.Is(err, pgx.ErrNoRows) {
			return notify.ErrNotFound
		}
		if err == nil {
			s = row.shown()
		}
		return err
	})
	return s, endpointError("get", id, err)
}

// listEndpoints has the tenant in the index that it reads, if it is looked at.
func listEndpoints(q webhook.Query) (query string, args []any) {
	query = "select " + statusColumns + " from {s}.webhook_endpoint e where e.id > $1"
	args = []any{text(q.After), q.Limit + 1}
	if !q.AllTenants {
		query += " and e.tenant = $3"
		args = append(args, text(q.Tenant))
	}
	if q.Disabled != nil {
		query += fmt.Sprintf(" and (e.disabled <> '') = $%d", len(args)+1)
		args = append(args, *q.Disabled)
	}
	return query + " order by e.id limit $2", args
}

// List implements [webhook.Store].
func (w *webhooks) List(ctx context.Context, q webhook.Query) (page webhook.Page, err error) {
	if q, err = q.Resolve(); err != nil {
		return page, err
	}
	query, args := listEndpoints(q)
	err = w.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err := pool.Query(ctx, w.store.config.sql(query), args...)
		if err != nil {
			return err
		}
		page.Endpoints, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (webhook.Status, error) {
			var r statusRow
			err := row.Scan(r.fields()...)
			return r.shown(), err
		})
		if len(page.Endpoints) > q.Limit {
			page.Endpoints = page.Endpoints[:q.Limit]
			page.Next = page.Endpoints[q.Limit-1].ID
		}
		return err
	})
	if err != nil {
		return webhook.Page{}, fmt.Errorf("postgres: list endpoints: %w", err)
	}
	return page, nil
}

// Delete implements [webhook.Store].
func (w *webhooks) Delete(ctx context.Context, id string) error {
	return endpointError("delete", id, w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var found, deleted bool
		b := w.begin()
		b.add("delete from {s}.webhook_endpoint where id = $1 returning true", text(id)).QueryRow(one(&found, &deleted))
		err := b.commit(ctx, conn)
		if err == nil && !found {
			err = notify.ErrNotFound
		}
		return err
	}))
}

const switchEndpoint = `
update {s}.webhook_endpoint set disabled = $2,
  disabled_at = case when $2 = '' then null when disabled = '' then $3 else disabled_at end,
  failing = case when $2 <> '' then failing end, held = case when $2 <> '' then held end
where id = $1 returning true`

// Switch implements [webhook.Store].
func (w *webhooks) Switch(ctx context.Context, id string, reason webhook.Reason, when time.Time) error {
	return endpointError("switch", id, w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error {
		var found, switched bool
		b := w.begin()
		b.add(switchEndpoint, text(id), text(string(reason)), when).QueryRow(one(&found, &switched))
		b.add(touch, []string{text(id)})
		err := b.commit(ctx, conn)
		if err == nil && !found {
			err = notify.ErrNotFound
		}
		return err
	}))
}
