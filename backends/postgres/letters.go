package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

// Bury implements [backend.DeadLetters]. What the database cannot keep as text,
// which is bytes that are no UTF-8 and, outside metadata, NUL, is replaced by
// U+FFFD: a letter from elsewhere is never refused for that.
func (s *Store) Bury(ctx context.Context, d backend.DeadLetter) (id string, dropped bool, err error) {
	if d.Message == nil {
		err = errors.New("the message is missing")
	} else if d.Message, err = backend.Wire(d.Message); err == nil {
		err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			var number, gone int64
			number, gone, err = s.bury(ctx, pool, d)
			id, dropped = strconv.FormatInt(number, 10), gone > 0
			return err
		})
	}
	if err != nil {
		return "", false, fmt.Errorf("postgres: bury a dead letter: %w", err)
	}
	return id, dropped, nil
}

func (s *Store) bury(ctx context.Context, q querier, d backend.DeadLetter) (id, dropped int64, err error) {
	clean := message.Metadata{}
	for name, value := range d.Message.Metadata {
		clean[valid(name)] = valid(value)
	}
	metadata, err := encodeMetadata(clean)
	if err != nil {
		return 0, 0, err
	}
	payload := []byte(d.Message.Payload)
	if payload == nil {
		payload = []byte{}
	}
	// The oldest of those that were there are too many, if there are so many.
	err = q.QueryRow(ctx, s.config.sql(`
with b as (
  insert into {s}.dead_letter (consumer, topic, class, error, attempts, at, uuid, metadata, payload)
  values ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9) returning id
), g as (
  delete from {s}.dead_letter where id <= (select id from {s}.dead_letter order by id desc offset $10 limit 1) returning 1
)
select b.id, (select count(*) from g) from b`),
		text(d.Group), text(d.Topic), text(d.Class), text(d.Error), d.Attempts, d.At, text(d.Message.UUID), metadata, payload, s.config.MaxDeadLetters-1,
	).Scan(&id, &dropped)
	return id, dropped, err
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// text is s as the database can keep it.
func text(s string) string { return strings.ReplaceAll(valid(s), "\x00", "\uFFFD") }

// Letters implements [backend.DeadLetters].
func (s *Store) Letters(ctx context.Context, group, after string, limit int) (found []backend.DeadLetter, err error) {
	var number int64
	if after != "" {
		if number, err = strconv.ParseInt(after, 10, 64); err != nil {
			err = errors.New("after is not the ID of a dead letter")
		}
	}
	if err == nil {
		err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
			rows, err := pool.Query(ctx, s.config.sql(`
select id, consumer, topic, class, error, attempts, at, uuid, metadata, payload from {s}.dead_letter
where id > $1 and ($2 = '' or consumer = $2) order by id limit $3`), number, group, max(limit, 0))
			if err != nil {
				return err
			}
			found, err = pgx.CollectRows(rows, scanLetter)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: list dead letters: %w", err)
	}
	return found, nil
}

func scanLetter(row pgx.CollectableRow) (d backend.DeadLetter, err error) {
	var id int64
	var uuid string
	var metadata, payload []byte
	var at time.Time
	if err := row.Scan(&id, &d.Group, &d.Topic, &d.Class, &d.Error, &d.Attempts, &at, &uuid, &metadata, &payload); err != nil {
		return d, err
	}
	d.ID, d.At = strconv.FormatInt(id, 10), at
	d.Message, err = newMessage(uuid, metadata, payload)
	return d, err
}

// CountLetters implements [backend.DeadLetterCounter].
func (s *Store) CountLetters(ctx context.Context) (counts map[string]int64, err error) {
	err = s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		counts = map[string]int64{}
		rows, err := pool.Query(ctx, s.config.sql(`select consumer, count(*) from {s}.dead_letter group by consumer`))
		if err != nil {
			return err
		}
		var group string
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&group, &n}, func() error {
			counts[group] = n
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: count dead letters: %w", err)
	}
	return counts, nil
}

// Unbury implements [backend.DeadLetters].
func (s *Store) Unbury(ctx context.Context, id string) error {
	err := s.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return backend.ErrNotFound
		}
		tag, err := pool.Exec(ctx, s.config.sql(`delete from {s}.dead_letter where id = $1`), number)
		if err == nil && tag.RowsAffected() == 0 {
			return backend.ErrNotFound
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: unbury dead letter %q: %w", id, err)
	}
	return nil
}
