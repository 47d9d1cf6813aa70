package postgres

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema to what this program knows, one process at a time.
// It looks first, so that a program without the right to change the schema can
// use one that is up to date.
func migrate(ctx context.Context, pool *pgxpool.Pool, c *Config) error {
	steps, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, pool, c)
	if err != nil || version == len(steps) {
		return err
	}
	if err := c.transaction(ctx, pool, func(tx pgx.Tx) error { return upgrade(ctx, tx, c, steps) }); err != nil {
		return fmt.Errorf("migrate the schema %q: %w", c.Schema, err)
	}
	return nil
}

func upgrade(ctx context.Context, tx pgx.Tx, c *Config, steps []string) error {
	lock := fnv.New64a()
	lock.Write([]byte("notify migration of " + c.Schema))
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", int64(lock.Sum64())); err != nil {
		return err
	}
	version, err := schemaVersion(ctx, tx, c) // others may have been here
	if err != nil || version == len(steps) {
		return err
	}
	if version == 0 {
		if err := createSchema(ctx, tx, c); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, c.sql(`create table {s}.migration (version integer primary key, applied timestamptz not null default now())`)); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, c.sql(`set local search_path to {s}`)); err != nil {
		return err
	}
	for ; version < len(steps); version++ {
		step, err := migrations.ReadFile(steps[version])
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, string(step)); err != nil {
			return fmt.Errorf("%s: %w", steps[version], err)
		}
		if _, err := tx.Exec(ctx, "insert into migration (version) values ($1)", version+1); err != nil {
			return err
		}
	}
	return nil
}

// createSchema asks first: "if not exists" wants the right to create even if
// there is nothing to create.
func createSchema(ctx context.Context, tx pgx.Tx, c *Config) error {
	var exists bool
	err := tx.QueryRow(ctx, "select exists (select from pg_namespace where nspname = $1)", c.Schema).Scan(&exists)
	if err == nil && !exists {
		_, err = tx.Exec(ctx, c.sql(`create schema {s}`))
	}
	return err
}

// schemaVersion is how many migrations the schema has had. One that has had
// more than this program knows is refused, and so is one of another program.
func schemaVersion(ctx context.Context, q querier, c *Config) (version int, err error) {
	var exists, others bool
	name := pgx.Identifier{c.Schema, "migration"}.Sanitize()
	err = q.QueryRow(ctx, `select to_regclass($1) is not null, exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $2 and c.relkind in ('r', 'p', 'v'))`,
		name, c.Schema).Scan(&exists, &others)
	switch {
	case err != nil:
		return 0, fmt.Errorf("look at the schema %q: %w", c.Schema, err)
	case !exists && others:
		return 0, fmt.Errorf("the schema %q has tables of another program: name one of its own by Config.Schema", c.Schema)
	case !exists:
		return 0, nil
	}
	if err := q.QueryRow(ctx, c.sql("select coalesce(max(version), 0) from {s}.migration")).Scan(&version); err != nil {
		return 0, fmt.Errorf("read the version of the schema %q: %w", c.Schema, err)
	}
	known, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	if version > len(known) {
		return 0, fmt.Errorf("the schema %q has version %d, and this program knows up to %d: update the program, or name another schema by Config.Schema", c.Schema, version, len(known))
	}
	return version, nil
}
