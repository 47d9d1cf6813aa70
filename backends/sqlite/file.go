package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// file is the database while it is open: locked, known to be ours and of the
// schema that this program knows.
type file struct {
	path   string
	config Config
	lock   *fileLock
	// write is for one connection, read for a few that cannot write.
	write, read *sql.DB
}

const readers = 4

// openFile opens the database, and makes it if there is none.
func openFile(path string, c Config) (f *file, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	f = &file{path: path, config: c}
	if f.lock, err = lockFile(path); err != nil {
		return nil, f.explain(err)
	}
	if err = f.open(); err != nil {
		return nil, errors.Join(f.explain(err), f.close())
	}
	return f, nil
}

// resolve returns the path that everybody who means the file comes to.
func resolve(path string) (string, error) {
	switch {
	case path == "":
		return "", errors.New("the path is empty: name a file, such as notify.db")
	case strings.HasPrefix(path, ":memory:"), strings.HasPrefix(path, "file:"):
		return "", fmt.Errorf("%q is no path: name a file, such as notify.db, without options (for a backend in memory, there is backends/memory)", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", fmt.Errorf("%w: make the directory first", err)
		}
		return filepath.Join(dir, filepath.Base(path)), nil
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file: name one, such as %s", path, filepath.Join(path, "notify.db"))
	}
	return filepath.EvalSymlinks(path)
}

func (f *file) open() error {
	// Before SQLite has it open: closing a descriptor of it later would cost
	// SQLite its locks. It is nobody else's to read, since it holds addresses,
	// content and secrets; SQLite gives the files beside it the same mode.
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := f.identify(); err != nil {
		return err
	}
	write, err := newConnector(f.path, f.config.vfs, ofWriter(f.config.checkpoint))
	if err != nil {
		return err
	}
	f.write = sql.OpenDB(write)
	f.write.SetMaxOpenConns(1)
	if err := f.write.Ping(); err != nil { // makes the database, if there is none
		return err
	}
	// SQLite does not wait until the journal that it made the database with is
	// gone for good: it would undo what came since, and spoil what was moved into
	// the database from the log.
	if err := f.config.syncDir(filepath.Dir(f.path)); err != nil {
		return err
	}
	if err := migrate(context.Background(), f.write); err != nil {
		return err
	}
	if err := endLeases(context.Background(), f.write); err != nil {
		return err
	}
	read, err := newConnector(f.path, f.config.vfs, ofReader)
	if err != nil {
		return err
	}
	f.read = sql.OpenDB(read)
	f.read.SetMaxOpenConns(readers)
	f.read.SetMaxIdleConns(readers)
	return f.read.Ping()
}

// identify refuses a file that is not ours, before anything is changed in it.
func (f *file) identify() error {
	probe, err := newConnector(f.path, f.config.vfs, nil)
	if err != nil {
		return err
	}
	db := sql.OpenDB(probe)
	defer db.Close()
	return identify(context.Background(), db)
}

// close closes what is open. The writer comes last: SQLite then moves what is
// in the log into the database, and removes the log.
func (f *file) close() error {
	var problems []error
	if f.read != nil {
		problems = append(problems, f.read.Close())
	}
	if f.write != nil {
		problems = append(problems, f.write.Close())
	}
	if f.lock != nil {
		problems = append(problems, f.lock.release())
	}
	return errors.Join(problems...)
}

// explain adds what to do about an error of opening.
func (f *file) explain(err error) error {
	if errors.Is(err, os.ErrPermission) || isReadOnly(err) {
		return fmt.Errorf("%w: this process must be able to write to %s and to make files beside it", err, f.path)
	}
	return err
}
