package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"

	moderncsqlite "modernc.org/sqlite"
)

// pragma is a setting that every connection must have.
type pragma struct {
	name string
	set  string
	is   string // as the connection says it; empty is not checked
}

// ofWriter are the settings of the writer's connection. The log is moved into
// the database when it has so many pages.
func ofWriter(checkpoint int) []pragma {
	pages := strconv.Itoa(checkpoint)
	return []pragma{
		{"busy_timeout", "5000", "5000"},   // somebody may be writing with the sqlite3 shell
		{"auto_vacuum", "INCREMENTAL", ""}, // has an effect on a new file only
		{"journal_mode", "WAL", "wal"},
		{"synchronous", "FULL", "2"},
		{"foreign_keys", "ON", "1"},
		{"secure_delete", "FAST", "2"}, // or else old copies would outlive what is erased
		{"temp_store", "MEMORY", "2"},
		{"cache_size", "-16000", "-16000"},
		{"journal_size_limit", "67108864", "67108864"},
		{"wal_autocheckpoint", pages, pages},
	}
}

// ofReader are the settings of a connection that only reads.
var ofReader = []pragma{
	{"busy_timeout", "5000", "5000"},
	{"query_only", "ON", "1"},
	{"temp_store", "MEMORY", "2"},
	{"cache_size", "-4000", "-4000"},
}

// connector opens connections that have been seen to have their settings.
type connector struct {
	driver.Connector
	pragmas []pragma
}

func newConnector(path, vfs string, pragmas []pragma) (*connector, error) {
	// As a URI, a path may hold any character.
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: "_defensive=1&_dqs=0"}
	if vfs != "" {
		name.RawQuery += "&vfs=" + vfs
	}
	inner, err := moderncsqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	return &connector{Connector: inner, pragmas: pragmas}, nil
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range c.pragmas {
		if err := p.apply(ctx, conn); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

func (p pragma) apply(ctx context.Context, conn driver.Conn) error {
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, "PRAGMA "+p.name+" = "+p.set, nil); err != nil {
		return fmt.Errorf("set %s: %w", p.name, err)
	}
	if p.is == "" {
		return nil
	}
	rows, err := conn.(driver.QueryerContext).QueryContext(ctx, "PRAGMA "+p.name, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.name, err)
	}
	defer rows.Close()
	value := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(value); err != nil && err != io.EOF {
		return fmt.Errorf("read %s: %w", p.name, err)
	}
	if got := fmt.Sprint(value[0]); got != p.is {
		return fmt.Errorf("the setting %s is %s and cannot be made %s: the file system may not support it", p.name, got, p.is)
	}
	return nil
}
