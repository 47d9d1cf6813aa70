package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
)

var (
	_ backend.Transactor = (*Backend)(nil)
	_ backend.Transactor = (*Store)(nil)
)

// SendTx sends a notification within the host's own transaction: it is accepted
// when, and only when, tx commits, together with the host's own rows. The
// Notifier's backend is a [Backend], or its Records are a [Store], in the same
// database. See [notify.Notifier.SendTx] for its errors.
//
// With a Store it goes to the outbox, from where [Store.Forward] brings it to the
// Notifier's backend.
//
// The transaction tells waiting processes by NOTIFY when it commits; PostgreSQL
// lets such commits wait for each other, as far as their being written to disk.
func SendTx(ctx context.Context, n *notify.Notifier, tx pgx.Tx, nt notify.Notification) (id string, err error) {
	return n.SendTx(ctx, tx, nt)
}

// SendSQLTx is [SendTx] for a transaction of database/sql, whatever the driver.
func SendSQLTx(ctx context.Context, n *notify.Notifier, tx *sql.Tx, nt notify.Notification) (id string, err error) {
	return n.SendTx(ctx, tx, nt)
}

// Within implements [backend.Transactor] for a pgx.Tx or a *sql.Tx of the same
// database.
func (s *Store) Within(tx any) (backend.Transaction, error) {
	switch tx := tx.(type) {
	case pgx.Tx:
		return &transaction{store: s, tx: pgxTx{tx}}, nil
	case *sql.Tx:
		return &transaction{store: s, tx: sqlTx{tx}}, nil
	default:
		return nil, fmt.Errorf("postgres: the transaction is a %T, not a pgx.Tx or a *sql.Tx", tx)
	}
}

// hostTx is what a transaction of either kind can do.
type hostTx interface {
	exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	row(ctx context.Context, query string, args ...any) interface{ Scan(to ...any) error }
}

type pgxTx struct{ tx pgx.Tx }

func (t pgxTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (t pgxTx) row(ctx context.Context, query string, args ...any) interface{ Scan(to ...any) error } {
	return t.tx.QueryRow(ctx, query, args...)
}

type sqlTx struct{ tx *sql.Tx }

func (t sqlTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := t.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t sqlTx) row(ctx context.Context, query string, args ...any) interface{ Scan(to ...any) error } {
	return t.tx.QueryRowContext(ctx, query, args...)
}

// transaction is the host's. Its statements have parameters and results that
// every driver of database/sql knows: no arrays.
type transaction struct {
	store *Store
	tx    hostTx
}

// Load implements [backend.Transaction].
func (t *transaction) Load(ctx context.Context, id string) (r backend.Record, err error) {
	var body []byte
	var due, expires *time.Time
	var aliases string
	err = t.store.do(ctx, func(ctx context.Context, _ *pgxpool.Pool) error {
		return t.tx.row(ctx, t.store.config.sql(`
select r.id, r.revision, r.body, r.due, r.expires,
       array_to_json(array(select a.alias from {s}.alias a where a.id = r.id order by a.alias))::text
from {s}.record r where r.id = $1`), id).Scan(&r.ID, &r.Revision, &body, &due, &expires, &aliases)
	})
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, sql.ErrNoRows) {
		err = backend.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(aliases), &r.Aliases)
	}
	if err != nil {
		return backend.Record{}, fmt.Errorf("postgres: load record %q in a transaction: %w", id, elsewhere(err))
	}
	r.Body, r.Due, r.Expires = backend.Bytes(body), timeOf(due), timeOf(expires)
	return r, nil
}

// Commit implements [backend.Transaction].
func (t *transaction) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (revision int64, err error) {
	err = t.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		if r.Revision == 0 {
			if err := t.store.roomForRecord(ctx, pool, r.ID); err != nil {
				return err
			}
		}
		if t.store.backend == nil && len(out) > 0 {
			if err := t.store.roomInOutbox(ctx, pool, int64(len(out))); err != nil {
				return err
			}
			t.store.outbox.add(int64(len(out)))
		}
		if err := t.write(ctx, r); err != nil {
			return err
		}
		return t.publish(ctx, out)
	})
	if err != nil {
		return 0, fmt.Errorf("postgres: store record %q in a transaction: %w", r.ID, elsewhere(err))
	}
	return r.Revision + 1, nil
}

func (t *transaction) write(ctx context.Context, r backend.Record) error {
	if err := checkRecord(r); err != nil {
		return err
	}
	body, err := r.Body.AppendBinary([]byte{})
	if err != nil {
		return err
	}
	var written int64
	if r.Revision == 0 {
		written, err = t.tx.exec(ctx, t.store.config.sql(`
insert into {s}.record (id, revision, due, expires, body) values ($1, 1, $2, $3, $4) on conflict (id) do nothing`),
			r.ID, timestamp(r.Due), timestamp(r.Expires), body)
	} else {
		written, err = t.tx.exec(ctx, t.store.config.sql(`
update {s}.record set revision = revision + 1, due = $2, expires = $3, body = $4 where id = $1 and revision = $5`),
			r.ID, timestamp(r.Due), timestamp(r.Expires), body, r.Revision)
	}
	if err == nil && written == 0 {
		err = conflict(r.Revision)
	}
	for _, alias := range slices.Sorted(slices.Values(r.Aliases)) {
		if err == nil {
			_, err = t.tx.exec(ctx, t.store.config.sql("insert into {s}.alias (alias, id) values ($1, $2) on conflict do nothing"), alias, r.ID)
		}
	}
	return err
}

func (t *transaction) publish(ctx context.Context, out []backend.Publication) error {
	b := t.store.backend
	rows := &publications{outbox: b == nil}
	if b != nil {
		rows.partitions = b.partitions
	}
	announced := map[string]bool{}
	for i, p := range out {
		if err := rows.add(p.Topic, p.At, p.Message); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
		for _, insert := range t.inserts(rows, i) {
			if _, err := t.tx.exec(ctx, t.store.config.sql(insert.sql), insert.args...); err != nil {
				return err
			}
		}
		text := strings.Join([]string{"", kindMessages, p.Topic}, "\n") // of no process
		if b == nil {
			text = kindOutbox
		}
		if !announced[text] {
			announced[text] = true
			if _, err := t.tx.exec(ctx, "select pg_notify($1, $2)", t.store.config.Schema, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// inserts are the statements that publish a message. It is either for now or,
// if it has a time, for later, which is decided when they run.
func (t *transaction) inserts(rows *publications, i int) []write {
	topic, part, at, uuid, metadata, payload := rows.topics[i], rows.parts[i], rows.ats[i], rows.uuids[i], rows.metadata[i], rows.payloads[i]
	if rows.outbox {
		return []write{{
			sql:  "insert into {s}.outbox (at, topic, uuid, metadata, payload) values ($1, $2, $3, $4, $5)",
			args: []any{at, topic, uuid, metadata, payload},
		}}
	}
	if at == nil {
		return []write{{
			sql:  "insert into {s}.message (topic, partition, uuid, metadata, payload) values ($1, $2, $3, $4, $5)",
			args: []any{topic, part, uuid, metadata, payload},
		}}
	}
	// Of the transaction's time, so that both statements agree.
	return []write{{
		sql:  "insert into {s}.message (topic, partition, uuid, metadata, payload) select $1, $2::smallint, $3, $4::json, $5::bytea where $6::timestamptz <= now()",
		args: []any{topic, part, uuid, metadata, payload, at},
	}, {
		sql:  "insert into {s}.delayed (topic, partition, uuid, metadata, payload, at) select $1, $2::smallint, $3, $4::json, $5::bytea, $6::timestamptz where $6::timestamptz > now()",
		args: []any{topic, part, uuid, metadata, payload, at},
	}}
}

// elsewhere explains what the server says when the transaction is of another
// database than the store.
func elsewhere(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42P01" {
		return fmt.Errorf("the transaction must be of the database that has the store's schema: %w", err)
	}
	return err
}
