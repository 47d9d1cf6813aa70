package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

const loadRecord = `
select r.id, r.revision, r.body, r.due, r.expires,
       array(select a.alias from {s}.alias a where a.id = r.id order by a.alias)
from {s}.record r `

// Load implements [backend.Records].
func (s *Store) Load(ctx context.Context, id string) (r backend.Record, err error) {
	err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		r, err = s.load(ctx, pool, "where r.id = $1", id)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("postgres: load record %q: %w", id, err)
	}
	return r, nil
}

// LoadAlias implements [backend.Records].
func (s *Store) LoadAlias(ctx context.Context, alias string) (r backend.Record, err error) {
	err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		r, err = s.load(ctx, pool, "where r.id = (select b.id from {s}.alias b where b.alias = $1)", alias)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("postgres: load a record by alias: %w", err)
	}
	return r, nil
}

func (s *Store) load(ctx context.Context, q querier, where string, arg any) (backend.Record, error) {
	var r backend.Record
	var body []byte
	var due, expires *time.Time
	err := q.QueryRow(ctx, s.config.sql(loadRecord+where), arg).Scan(&r.ID, &r.Revision, &body, &due, &expires, &r.Aliases)
	if errors.Is(err, pgx.ErrNoRows) {
		return backend.Record{}, backend.ErrNotFound
	}
	if err != nil {
		return backend.Record{}, err
	}
	r.Body, r.Due, r.Expires = backend.Bytes(body), timeOf(due), timeOf(expires)
	return r, nil
}

// Store implements [backend.Records].
func (s *Store) Store(ctx context.Context, r backend.Record) (revision int64, err error) {
	return s.commit(ctx, r, nil)
}

// commit writes the record and publishes, or does neither.
func (s *Store) commit(ctx context.Context, r backend.Record, out *publications) (revision int64, err error) {
	one, err := s.recordWrite(r, out)
	if err == nil {
		err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			if r.Revision == 0 {
				if err := s.roomForRecord(ctx, pool, r.ID); err != nil {
					return err
				}
			}
			return s.writer.do(ctx, pool, one)
		})
	}
	if err == nil && one.result == 0 {
		err = conflict(r.Revision)
	}
	if err != nil {
		return 0, fmt.Errorf("postgres: store record %q: %w", r.ID, err)
	}
	if r.Revision == 0 {
		s.records.add(1)
	}
	return r.Revision + 1, nil
}

func conflict(revision int64) error {
	if revision == 0 {
		return fmt.Errorf("it exists already: %w", backend.ErrConflict)
	}
	return fmt.Errorf("it has not revision %d: %w", revision, backend.ErrConflict)
}

// The statement that writes a record returns how many it wrote: none, if the
// revision is another. What else it does depends on that.
const (
	insertRecord = `
with w as (
  insert into {s}.record (id, revision, due, expires, body) values ($1, $2 + 1, $3, $4, $5)
  on conflict (id) do nothing returning id
)`
	updateRecord = `
with w as (
  update {s}.record set revision = revision + 1, due = $3, expires = $4, body = $5
  where id = $1 and revision = $2 returning id
)`
	addAliases = `, a as (
  insert into {s}.alias (alias, id)
  select x.alias, w.id from w, unnest($6::text[]) as x(alias) order by x.alias
  on conflict do nothing
)`
	countRecord = ` select count(*) from w`
)

func checkRecord(r backend.Record) error {
	switch {
	case r.ID == "":
		return errors.New("the ID is empty")
	case len(r.ID) > 255:
		return fmt.Errorf("the ID has %d bytes; at most 255 are allowed", len(r.ID))
	case r.Body == nil:
		return errors.New("the body is missing")
	case r.Revision < 0:
		return conflict(r.Revision)
	}
	return nil
}

func (s *Store) recordWrite(r backend.Record, out *publications) (*write, error) {
	if err := checkRecord(r); err != nil {
		return nil, err
	}
	body, err := r.Body.AppendBinary([]byte{}) // not nil, which is null
	if err != nil {
		return nil, err
	}
	one := &write{key: r.ID, bytes: len(body) + 256, sql: updateRecord}
	if r.Revision == 0 {
		one.sql = insertRecord
	}
	one.args = []any{r.ID, r.Revision, timestamp(r.Due), timestamp(r.Expires), body}
	if len(r.Aliases) > 0 {
		one.args = append(one.args, r.Aliases)
		one.sql += addAliases
	}
	if out != nil {
		one.sql += out.sql("and exists (select from w)", len(one.args))
		one.args = append(one.args, out.args()...)
		one.bytes += out.bytes
	}
	one.sql = s.config.sql(one.sql + countRecord)
	return one, nil
}

// Delete implements [backend.Records].
func (s *Store) Delete(ctx context.Context, id string, revision int64) error {
	err := s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		var deleted, exists bool
		err := pool.QueryRow(ctx, s.config.sql(`
with d as (delete from {s}.record where id = $1 and revision = $2 returning 1)
select exists (select from d), exists (select from {s}.record where id = $1)`), id, revision).Scan(&deleted, &exists)
		if err == nil && exists && !deleted {
			return conflict(revision)
		}
		if deleted {
			s.records.add(-1)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: delete record %q: %w", id, err)
	}
	return nil
}

// Due implements [backend.Records].
func (s *Store) Due(ctx context.Context, now time.Time, limit int) (ids []string, next time.Time, err error) {
	limit = max(limit, 0)
	err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err := pool.Query(ctx, s.config.sql(`select id, due from {s}.record where due is not null order by due, id limit $1`), limit+1)
		if err != nil {
			return err
		}
		ids, next = nil, time.Time{}
		var id string
		var due time.Time
		_, err = pgx.ForEachRow(rows, []any{&id, &due}, func() error {
			if len(ids) < limit && !due.After(now) {
				ids = append(ids, id)
			} else if next.IsZero() {
				next = due
			}
			return nil
		})
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("postgres: find due records: %w", err)
	}
	return ids, next, nil
}

// Expire implements [backend.Records].
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) (n int, err error) {
	err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		tag, err := pool.Exec(ctx, s.config.sql(`
delete from {s}.record where id in (
  select id from {s}.record where expires < $1 order by expires limit $2 for update skip locked
)`), now, max(limit, 0))
		n = int(tag.RowsAffected())
		s.records.add(-tag.RowsAffected())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("postgres: expire records: %w", err)
	}
	return n, nil
}

// timestamp is a time as the database keeps it: in whole microseconds, and not
// before t, since what is due then is not due earlier. Zero is null.
func timestamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	if down := t.Truncate(time.Microsecond); down.Equal(t) {
		t = down
	} else {
		t = down.Add(time.Microsecond)
	}
	return &t
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
