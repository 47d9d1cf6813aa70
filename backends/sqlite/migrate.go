package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strconv"

	moderncsqlite "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// applicationID marks a file as ours (PRAGMA application_id): "notf".
const applicationID = 0x6e6f7466

// schemas are the migrations, 1.sql and so on, each made once and never
// changed.
//
//go:embed schema/*.sql
var schemas embed.FS

// version is the newest schema that this program knows.
const version = 4

// identify tells whether the database is ours to write to: empty, or of a
// schema that we know.
func identify(ctx context.Context, db *sql.DB) error {
	var id, schema, tables int64
	err := db.QueryRowContext(ctx, "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version").
		Scan(&id, &schema, &tables)
	switch {
	case hasCode(err, lib.SQLITE_NOTADB):
		return errors.New("the file is no SQLite database: take another path")
	case err != nil:
		return err
	case id == 0 && schema == 0 && tables == 0:
		return nil
	case id != applicationID:
		return fmt.Errorf("the file is a database of another program (application_id %#x): take another path", id)
	case schema > version:
		return fmt.Errorf("the file has schema %d, and this program knows no newer than %d: update the program; it does not go back", schema, version)
	}
	return nil
}

// migrate brings the database to the newest schema, step by step, each in a
// transaction.
func migrate(ctx context.Context, db *sql.DB) error {
	var schema int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&schema); err != nil {
		return err
	}
	for n := schema + 1; n <= version; n++ {
		if err := step(ctx, db, n); err != nil {
			return fmt.Errorf("migrate the file to schema %d: %w", n, err)
		}
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, n int) error {
	script, err := schemas.ReadFile("schema/" + strconv.Itoa(n) + ".sql")
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, query := range []string{
		string(script),
		"PRAGMA application_id = " + strconv.Itoa(applicationID),
		"PRAGMA user_version = " + strconv.Itoa(n),
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// hasCode tells whether the error is SQLite's, with the primary result code.
func hasCode(err error, code int) bool {
	var e *moderncsqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == code
}

func isReadOnly(err error) bool {
	return hasCode(err, lib.SQLITE_READONLY) || hasCode(err, lib.SQLITE_CANTOPEN)
}

func isBusy(err error) bool { return hasCode(err, lib.SQLITE_BUSY) || hasCode(err, lib.SQLITE_LOCKED) }
