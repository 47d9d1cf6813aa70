package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"

	"github.com/seed-6c01d079/notify/backend"
)

// Bury implements [backend.DeadLetters].
func (b *Backend) Bury(ctx context.Context, d backend.DeadLetter) (id string, dropped bool, err error) {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		id, dropped, err = s.bury(ctx, d)
	}
	if err != nil {
		return "", false, fmt.Errorf("sqlite: bury a dead letter: %w", err)
	}
	return id, dropped, nil
}

func (s *store) bury(ctx context.Context, d backend.DeadLetter) (id string, dropped bool, err error) {
	r, err := rowOf(d.Message)
	if err != nil {
		return "", false, err
	}
	err = s.writer.do(ctx, r.size, func(t *tx) error {
		var number int64
		err := t.row(`INSERT INTO dead_letters (at, group_name, topic, class, error, attempts, uuid, metadata, payload)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
			[]any{text(d.At), d.Group, d.Topic, d.Class, d.Error, d.Attempts, r.uuid, r.metadata, r.payload}, &number)
		if err != nil {
			return err
		}
		id = strconv.FormatInt(number, 10)
		t.count(&s.letters, 1)
		surplus := s.letters - s.config.MaxDeadLetters
		if dropped = surplus > 0; !dropped {
			return nil
		}
		n, err := t.exec("DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY id LIMIT ?)", min(surplus, drops))
		t.count(&s.letters, -int(n))
		return err
	})
	return id, dropped, err
}

// Letters implements [backend.DeadLetters].
func (b *Backend) Letters(ctx context.Context, group, after string, limit int) (found []backend.DeadLetter, err error) {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		found, err = s.readLetters(ctx, group, after, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: list dead letters: %w", err)
	}
	return found, nil
}

func (s *store) readLetters(ctx context.Context, group, after string, limit int) (found []backend.DeadLetter, err error) {
	var number int64
	if after != "" {
		if number, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, errors.New("after is not the ID of a dead letter")
		}
	}
	query, args := "WHERE id > ?", []any{number}
	if group != "" {
		query, args = "WHERE group_name = ? AND id > ?", []any{group, number}
	}
	err = s.reads.each(context.WithoutCancel(ctx),
		"SELECT id, at, group_name, topic, class, error, attempts, uuid, metadata, payload FROM dead_letters "+query+" ORDER BY id LIMIT ?",
		append(args, max(limit, 0)), func(scan func(...any) error) (bool, error) {
			var id int64
			var at sql.NullString
			var d backend.DeadLetter
			var stored storedRow
			if err := scan(&id, &at, &d.Group, &d.Topic, &d.Class, &d.Error, &d.Attempts, &stored.uuid, &stored.metadata, &stored.payload); err != nil {
				return false, err
			}
			d.ID, d.At, d.Message = strconv.FormatInt(id, 10), moment(at), stored.message(id)
			found = append(found, d)
			return true, nil
		})
	return found, err
}

// CountLetters implements [backend.DeadLetterCounter].
func (b *Backend) CountLetters(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		err = s.reads.each(context.WithoutCancel(ctx), "SELECT group_name, count(*) FROM dead_letters GROUP BY group_name", nil,
			func(scan func(...any) error) (bool, error) {
				var group string
				var n int64
				err := scan(&group, &n)
				counts[group] = n
				return err == nil, err
			})
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: count dead letters: %w", err)
	}
	return counts, nil
}

// Unbury implements [backend.DeadLetters].
func (b *Backend) Unbury(ctx context.Context, id string) error {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		err = s.unbury(ctx, id)
	}
	if err != nil {
		return fmt.Errorf("sqlite: unbury dead letter %q: %w", id, err)
	}
	return nil
}

func (s *store) unbury(ctx context.Context, id string) error {
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return backend.ErrNotFound
	}
	return s.do(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM dead_letters WHERE id = ?", number)
		if err == nil && n == 0 {
			return backend.ErrNotFound
		}
		t.count(&s.letters, -int(n))
		return err
	})
}
