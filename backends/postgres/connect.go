package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connect returns a pool that has reached the server.
func connect(ctx context.Context, dsn string, c *Config) (*pgxpool.Pool, error) {
	if c.Pool != nil {
		return c.Pool, reach(ctx, c.Pool, c.ConnectTimeout)
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New(dsnProblem(dsn, err)) // whose text may hold the password
	}
	if !strings.Contains(dsn, "pool_max_conns") {
		config.MaxConns = 8
	}
	if _, named := config.ConnConfig.RuntimeParams["application_name"]; !named {
		config.ConnConfig.RuntimeParams["application_name"] = "notify"
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, explain(err)
	}
	if err := reach(ctx, pool, c.ConnectTimeout); err != nil {
		pool.Close()
		return nil, err
	}
	return pool, nil
}

// reach waits until the server answers. It goes on for the time while the
// server cannot be reached or is starting.
func reach(ctx context.Context, pool *pgxpool.Pool, patience time.Duration) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pause := 50 * time.Millisecond
	var last error
	for {
		err := pool.Ping(within)
		silent := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
		switch {
		case err == nil || !silent && !unreachable(err):
			return explain(err)
		case last == nil || !silent: // which says more
			last = err
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Second)
		case <-within.Done():
			return fmt.Errorf("tried for %s: %w", patience, explainUnreached(last))
		}
	}
}

// explainUnreached is explain for an error of a server that was not reached.
func explainUnreached(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &advised{unreached, err}
	}
	return explain(err)
}

const unreached = "the server cannot be reached: see that it runs, and that host, port and sslmode are right"

// unreachable tells whether the server may answer later.
func unreachable(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case "57P03", "53300": // starting or stopping; too many connections
			return true
		}
		return false
	}
	var failed *pgconn.ConnectError
	return errors.As(err, &failed)
}

// explain adds what to do about an error of the server's.
func explain(err error) error {
	var said *advised
	if err == nil || errors.As(err, &said) {
		return err
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		if unreachable(err) {
			return &advised{unreached, err}
		}
		return err
	}
	advice := ""
	switch refused.Code {
	case "28P01", "28000":
		advice = "the server refused user or password: see the DSN, PGPASSWORD or the passfile, and the server's pg_hba.conf"
	case "3D000":
		advice = "the database does not exist: create it with createdb, or name another one"
	case "42501":
		advice = "the user lacks a right: grant CREATE on the database, or have its owner create the schema and grant it to the user"
	case "42704", "22023":
		advice = "the server does not know a setting of the DSN"
	case "53300":
		advice = "the server has no connection left: lower pool_max_conns or raise its max_connections"
	case "25006":
		advice = "the server is read-only: connect to the primary (target_session_attrs=read-write)"
	case "57P03":
		advice = "the server is starting or stopping"
	default:
		return err
	}
	return &advised{advice, err}
}

// advised is an error with what to do about it.
type advised struct {
	advice string
	err    error
}

func (e *advised) Error() string { return e.advice + ": " + e.err.Error() }

func (e *advised) Unwrap() error { return e.err }

// dsnProblem says what is wrong with a DSN, without a word of it or of what the
// parser quoted from it: either may hold the password.
func dsnProblem(dsn string, err error) string {
	said := err.Error()
	said = said[strings.LastIndex(said, "`: ")+1:] // after the DSN
	for _, known := range []struct{ word, problem string }{
		{"port", "its port is not a number from 1 to 65535"},
		{"sslmode", "its sslmode is none of disable, allow, prefer, require, verify-ca, verify-full"},
		{"TLS", "its TLS settings (sslmode, sslrootcert, sslcert, sslkey) do not work: see that the files exist and belong together"},
		{"connect_timeout", "its connect_timeout is not a number of seconds"},
		{"target_session_attrs", "its target_session_attrs is none of any, read-write, read-only, primary, standby, prefer-standby"},
		{"pool_", "one of its pool_ settings is not a number, or not a duration such as 30s"},
		{"service", "its service is not in the service file"},
	} {
		if strings.Contains(said, known.word) && !strings.Contains(said, "failed to parse as") {
			return "the DSN is wrong: " + known.problem
		}
	}
	form := `as key=value pairs, such as "host=db user=app password='a b' dbname=app"`
	if strings.Contains(dsn, "://") {
		form = "as a URL, postgres://user:password@host:port/database?sslmode=require, where special characters of the password are written as %XX (# is %23)"
	}
	return "the DSN cannot be read: write it " + form
}
