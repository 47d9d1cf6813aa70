package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// begin begins a transaction, whatever isolation the database has by default.
const begin = "begin isolation level read committed"

// idleFor has the server end a transaction of several round trips if this process
// falls silent in it, frozen or cut off: one that stays open would hold up what
// everybody publishes after it.
func (c *Config) idleFor() string {
	return fmt.Sprintf("set local idle_in_transaction_session_timeout = %d", c.idle.Milliseconds())
}

// transaction does f in a transaction of several round trips.
func (c *Config) transaction(ctx context.Context, pool *pgxpool.Pool, f func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{BeginQuery: begin + ";" + c.idleFor()}, f)
}

// send sends a batch, in one round trip. If it fails, the connection's transaction
// is undone.
func (s *Store) send(ctx context.Context, conn *pgxpool.Conn, batch *pgx.Batch) error {
	err := conn.SendBatch(ctx, batch).Close()
	if err != nil && conn.Conn().PgConn().TxStatus() != 'I' {
		_, _ = conn.Exec(ctx, "rollback") // else the pool drops the connection
	}
	return err
}

// again does f again if the server undid it because two transactions waited for
// each other.
func again(f func() error) error {
	for tries := 1; ; tries++ {
		err := f()
		if tries == 5 || !deadlocked(err) {
			return err
		}
	}
}

func deadlocked(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "40P01"
}

// inTime bounds what is waited for without a caller's context: a connection
// whose other end is gone without a word would be waited for for a quarter of
// an hour.
func (s *Store) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.config.silence)
}
