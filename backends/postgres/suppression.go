package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/suppression"
)

// Suppression returns the store of the database's list of whom not to send to:
//
//	n.Attach(suppression.New(records.Suppression()))
//
// Any number of processes share it. About [Config.MaxSuppressions] entries are
// kept, those that are lifted too; beyond it new keys are refused with
// [notify.ErrOverloaded], since to forget one would send to who does not want it.
// Find and List of a tenant or of a recipient cost what they return; List of a
// channel in all tenants goes through all entries.
func (s *Store) Suppression() suppression.Store { return &suppressions{store: s} }

type suppressions struct {
	store *Store
	gauge gauge
}

// setEntry leaves what is known as [suppression.Entry.Replaces] has it.
const setEntry = `
insert into {s}.suppression as s (tenant, channel, recipient, hash, scope, reason, lifted, at, event)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (tenant, channel, recipient, hash, scope) do update
set reason = excluded.reason, lifted = excluded.lifted, at = excluded.at, event = excluded.event
where excluded.at > s.at or excluded.at = s.at
  and case when excluded.lifted <> s.lifted then s.lifted else excluded.event < s.event end
returning xmax = 0`

// Set implements [suppression.Store].
func (l *suppressions) Set(ctx context.Context, e suppression.Entry) error {
	if err := e.Check(); err != nil {
		return err
	}
	err := l.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		key := keyArgs(e.Key)
		if err := l.room(ctx, pool, key); err != nil {
			return err
		}
		var set, isNew bool
		batch := &pgx.Batch{}
		batch.Queue(begin)
		batch.Queue(l.store.config.sql(setEntry), append(key, text(string(e.Reason)), e.Lifted, e.At, text(e.EventID))...).QueryRow(one(&set, &isNew))
		batch.Queue("commit")
		err := pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return l.store.send(ctx, conn, batch) })
		if err == nil && isNew {
			l.gauge.add(1)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: set an entry of the suppression list: %w", err)
	}
	return nil
}

func keyArgs(k suppression.Key) []any {
	return []any{text(k.Tenant), text(string(k.Channel)), text(k.RecipientID), text(k.AddressHash), text(k.Scope)}
}

// room sees that there is room for the key, or that it is not new.
func (l *suppressions) room(ctx context.Context, pool *pgxpool.Pool, key []any) error {
	most := int64(l.store.config.MaxSuppressions)
	if n, ok := l.gauge.read(); ok && n < most {
		return nil
	}
	n, err := l.store.look(ctx, &l.gauge, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, l.store.config.sql("select count(*) from (select from {s}.suppression limit $1) s"), most).Scan(&n)
		return n, err
	})
	if err != nil || n < most {
		return err
	}
	var known bool
	err = pool.QueryRow(ctx, l.store.config.sql(`select exists (
  select from {s}.suppression where tenant = $1 and channel = $2 and recipient = $3 and hash = $4 and scope = $5)`), key...).Scan(&known)
	if err == nil && !known {
		err = fmt.Errorf("it has %d entries already, which is Config.MaxSuppressions: %w", most, notify.ErrOverloaded)
	}
	return err
}

const (
	entryColumns = `select tenant, channel, recipient, hash, scope, reason, lifted, at, event from {s}.suppression `

	findEntries = entryColumns + `where recipient = any($2) and recipient <> '' and tenant = $1 and not lifted
union all ` + entryColumns + `where hash = any($3) and hash <> '' and tenant = $1 and not lifted`
)

// Find implements [suppression.Store].
func (l *suppressions) Find(ctx context.Context, tenant string, subjects ...suppression.Subject) (found []suppression.Entry, err error) {
	recipients, hashes := []string{}, []string{}
	for _, s := range subjects {
		if s.RecipientID != "" {
			recipients = append(recipients, text(s.RecipientID))
		} else {
			hashes = append(hashes, text(s.AddressHash))
		}
	}
	if len(subjects) == 0 {
		return nil, nil
	}
	err = l.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		found, err = l.read(ctx, pool, findEntries, text(tenant), recipients, hashes)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: look into the suppression list: %w", err)
	}
	return found, nil
}

func (l *suppressions) read(ctx context.Context, pool *pgxpool.Pool, query string, args ...any) ([]suppression.Entry, error) {
	rows, err := pool.Query(ctx, l.store.config.sql(query), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e suppression.Entry, err error) {
		err = row.Scan(&e.Tenant, &e.Channel, &e.RecipientID, &e.AddressHash, &e.Scope, &e.Reason, &e.Lifted, &e.At, &e.EventID)
		e.At = e.At.UTC()
		return e, err
	})
}

// List implements [suppression.Store].
func (l *suppressions) List(ctx context.Context, q suppression.Query) (page suppression.Page, err error) {
	q, after, later, err := q.Resolve()
	if err != nil {
		return page, err
	}
	query, args := listEntries(q, after, later)
	err = l.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		found, err := l.read(ctx, pool, query, args...)
		if err != nil {
			return err
		}
		page.Entries = found[:min(len(found), q.Limit)]
		if len(found) > q.Limit {
			page.Next = page.Entries[q.Limit-1].Cursor()
		}
		return nil
	})
	if err != nil {
		return suppression.Page{}, fmt.Errorf("postgres: list the suppression list: %w", err)
	}
	return page, nil
}

// listEntries finds the page's entries, and one more if there is one.
func listEntries(q suppression.Query, after suppression.Key, later bool) (query string, args []any) {
	where := []string{"not lifted"}
	and := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf("%s $%d", condition, len(args)))
	}
	if !q.AllTenants {
		and("tenant =", text(q.Tenant))
	}
	if q.Channel != "" {
		and("channel =", text(string(q.Channel)))
	}
	if q.RecipientID != "" {
		and("recipient <> '' and recipient =", text(q.RecipientID))
	}
	if later {
		key := keyArgs(after)
		n := len(args)
		args = append(args, key...)
		where = append(where, fmt.Sprintf("(tenant, channel, recipient, hash, scope) > ($%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5))
	}
	and("true order by tenant, channel, recipient, hash, scope limit", q.Limit+1)
	return entryColumns + "where " + strings.Join(where, " and "), args
}
