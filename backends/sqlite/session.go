package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// session prepares statements once for a connection, or for a pool of them.
type session struct {
	prepare func(ctx context.Context, query string) (*sql.Stmt, error)

	mu       sync.Mutex
	prepared map[string]*sql.Stmt

	// Of the writer's connection only, and its own.

	raw    func(func(conn any) error) error
	onConn map[string]driver.Stmt
}

func newSession(prepare func(context.Context, string) (*sql.Stmt, error)) *session {
	return &session{prepare: prepare, prepared: map[string]*sql.Stmt{}}
}

func (s *session) statement(query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := s.prepare(context.Background(), query)
	if err == nil {
		s.prepared[query] = stmt
	}
	return stmt, err
}

// exec returns how many rows the statement changed itself.
func (s *session) exec(query string, args ...any) (int64, error) {
	stmt, err := s.statement(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// row reads the one row that there is, or fails with [sql.ErrNoRows].
func (s *session) row(query string, args []any, into ...any) error {
	stmt, err := s.statement(query)
	if err != nil {
		return err
	}
	return stmt.QueryRow(args...).Scan(into...)
}

// each calls f for each row, until it returns false or an error.
func (s *session) each(ctx context.Context, query string, args []any, f func(scan func(into ...any) error) (bool, error)) error {
	stmt, err := s.statement(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if more, err := f(rows.Scan); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

func (s *session) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var problems []error
	for _, stmt := range s.prepared {
		problems = append(problems, stmt.Close())
	}
	clear(s.prepared)
	if len(s.onConn) > 0 {
		problems = append(problems, s.raw(func(any) error {
			for _, stmt := range s.onConn {
				problems = append(problems, stmt.Close())
			}
			return nil
		}))
		clear(s.onConn)
	}
	return errors.Join(problems...)
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
