package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/handlers/webhook"
)

const (
	// passedBy is for how long a claim passes by an endpoint that somebody is
	// changing each time, before it waits its turn.
	passedBy = time.Second
	// turn is how long it waits then, and soon how much later it is tried again.
	turn = 100 * time.Millisecond
	soon = 25 * time.Millisecond
)

const (
	firstReady = "select id, ready from {s}.webhook_endpoint where lane = $1 and ready is not null order by ready limit 1"
	// lockReady passes by what others are changing.
	lockReady = "select id from {s}.webhook_endpoint where lane = $1 and ready <= $2 order by ready limit $3 for update skip locked"
	lockOne   = "select id from {s}.webhook_endpoint where lane = $1 and ready <= $2 and id = $3 for update"
	// claimDeliveries leases what is due of endpoints that are locked.
	claimDeliveries = `
with c as (
  select ` + statusColumns + `, d.number, d.tid, row_number() over (order by greatest(d.due, e.held), d.number, e.id) as place
  from {s}.webhook_endpoint e
  cross join lateral (
    select e.calls - count(*) as calls from {s}.webhook_delivery l where l.endpoint = e.id and l.token is not null and l.due > $2
  ) free
  cross join lateral (
    (select d.number, d.due, d.ctid as tid from {s}.webhook_delivery d
     where not e.ordered and d.endpoint = e.id and d.due <= $2 order by d.due, d.number limit greatest(free.calls, 0))
    union all
    (select d.number, d.due, d.tid from (
       select d.number, d.due, d.ctid as tid from {s}.webhook_delivery d where d.endpoint = e.id order by d.number limit 1
     ) d where e.ordered and free.calls > 0 and d.due <= $2)
  ) d
  where e.id = any($1) order by place limit $3
), u as (
  update {s}.webhook_delivery d set due = $4, token = $5 + number where ctid = any(array(select tid from c))
  returning endpoint, number, attempts, token
)
select ` + claimedColumns + `, m.id, m.type, m.tenant, m.at, m.body, u.attempts + 1, u.token
from c join u on u.endpoint = c.id and u.number = c.number
cross join lateral (select * from {s}.webhook_message m where m.number = u.number offset 0) m
order by c.place`
	claimedColumns = `c.id, c.tenant, c.url, c.secrets, c.types, c.ordered, c.concurrency,
c.disabled, c.disabled_at, c.failing, c.held, c.proven, c.slow, c.pending, c.dropped`
)

// claiming is a call of Claim.
type claiming struct {
	webhook.Claiming
	w      *webhooks
	claims []webhook.Claim
	// unreadable are endpoints that are not as they were stored. What was leased of
	// them is due again when its lease is over.
	unreadable []string
	// first is the endpoint that is ready the longest, by what was read last; ready
	// is zero if there is none.
	first string
	ready time.Time
}

// Claim implements [webhook.Store].
func (w *webhooks) Claim(ctx context.Context, c webhook.Claiming) (claims []webhook.Claim, next time.Time, err error) {
	one := &claiming{Claiming: c, w: w}
	var contested string
	err = w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) (err error) {
		contested, err = one.pass(ctx, conn)
		return err
	})
	if err == nil && contested != "" {
		err = w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error { return one.wait(ctx, conn, contested) })
	}
	for _, id := range one.unreadable {
		if err == nil {
			err = w.within(ctx, func(ctx context.Context, conn *pgxpool.Conn) error { return w.setAside(ctx, conn, id, c.Now) })
		}
	}
	if err != nil {
		if len(one.claims) > 0 {
			return one.claims, c.Now, nil // the next call will tell
		}
		return nil, time.Time{}, fmt.Errorf("postgres: claim webhooks that are due: %w", err)
	}
	if next = one.ready; !next.IsZero() && !next.After(c.Now) && len(one.claims) < c.Limit {
		next = c.Now.Add(soon) // somebody else has it in hand
	}
	return one.claims, next, nil
}

// pass claims of the endpoints that nobody else is changing, and returns the one
// that is first if somebody is and it is to be waited for.
func (c *claiming) pass(ctx context.Context, conn *pgxpool.Conn) (contested string, err error) {
	c.claims, c.unreadable = nil, nil
	var ids []string
	b := c.w.begin()
	c.look(b)
	b.add(lockReady, int16(c.Lane), c.Now, max(c.Limit, 0)).Query(func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := b.send(ctx, conn); err != nil {
		return "", err
	}
	limit, first := c.Limit, c.first
	if !c.ready.IsZero() && !c.ready.After(c.Now) && !slices.Contains(ids, first) {
		if contested = first; len(ids) >= limit && c.Now.Sub(c.ready) > passedBy {
			limit-- // it has its turn
		}
	}
	err = c.take(ctx, conn, ids, limit)
	if len(c.claims) >= c.Limit || c.first != first {
		contested = ""
	}
	return contested, err
}

// wait claims of an endpoint that others are changing all the time, in turn with
// them. It holds no other lock meanwhile.
func (c *claiming) wait(ctx context.Context, conn *pgxpool.Conn, id string) error {
	var ids []string
	b := c.w.begin()
	b.Queue(fmt.Sprintf("set local lock_timeout = %d", turn.Milliseconds()))
	b.add(lockOne, int16(c.Lane), c.Now, id).Query(func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	err := b.send(ctx, conn)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "55P03" {
		return nil
	}
	if err != nil {
		return err
	}
	return c.take(ctx, conn, ids, c.Limit-len(c.claims))
}

// take leases so many deliveries of endpoints that are locked, and commits.
func (c *claiming) take(ctx context.Context, conn *pgxpool.Conn, ids []string, limit int) error {
	before := len(c.claims)
	b := c.w.batch()
	if len(ids) > 0 && limit > 0 {
		token := rand.Int64N(1 << 61) // nobody else's, with the message's number
		b.add(c.w.store.config.claimDeliveries, ids, c.Now, limit, timestamp(c.Until), token).Query(c.scan)
		b.add(touch, ids)
	}
	c.look(b)
	err := b.commit(ctx, conn)
	if err != nil {
		c.claims = c.claims[:before]
	}
	return err
}

func (c *claiming) look(b *batch) {
	b.add(firstReady, int16(c.Lane)).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&c.first, &c.ready)
		if errors.Is(err, pgx.ErrNoRows) {
			c.first, c.ready, err = "", time.Time{}, nil
		}
		return err
	})
}

func (c *claiming) scan(rows pgx.Rows) error {
	for rows.Next() {
		var row statusRow
		one := webhook.Claim{Until: c.Until}
		m := &one.Message
		if err := rows.Scan(append(row.fields(), &m.ID, &m.Type, &m.Tenant, &m.At, &m.Body, &one.Number, &one.Token)...); err != nil {
			return err
		}
		m.At = m.At.UTC()
		var err error
		switch one.Status, err = row.status(); {
		case err == nil:
			c.claims = append(c.claims, one)
		case !slices.Contains(c.unreadable, row.ID):
			c.unreadable = append(c.unreadable, row.ID)
		}
	}
	return rows.Err()
}

// setAside disables an endpoint that cannot be read, so that it harms no other,
// unless somebody has put it anew.
func (w *webhooks) setAside(ctx context.Context, conn *pgxpool.Conn, id string, now time.Time) error {
	var row statusRow
	var found bool
	b := w.begin()
	b.add(getEndpoint+" for update", id).QueryRow(one(&found, row.fields()...))
	if err := b.send(ctx, conn); err != nil {
		return err
	}
	b = w.batch()
	_, problem := row.status()
	disables := found && problem != nil && row.Disabled == ""
	if disables {
		b.add(switchEndpoint, id, string(webhook.DisabledUnreadable), now)
		b.add(touch, []string{id})
	}
	err := b.commit(ctx, conn)
	if err == nil && disables {
		w.store.config.Logger.WarnContext(ctx, "notify: a webhook endpoint is not as it was stored, and is disabled; put it anew, and enable it",
			"endpoint", id, "error", problem)
	}
	return err
}
