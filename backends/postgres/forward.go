package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

// maxForward bounds what is forwarded in one transaction.
const maxForward = 100

// Forward publishes to a backend what [SendTx] put into the outbox, until ctx
// ends; then it returns nil. It goes on while the database or the backend fails,
// and tells the Logger. Any number of processes may forward: each message is
// taken by one of them. It is published at least once, and again if the process
// dies before that is written down; a Notifier absorbs that.
//
//	go records.Forward(ctx, kafka)
func (s *Store) Forward(ctx context.Context, to backend.Backend) error {
	if err := s.enter(); err != nil {
		return fmt.Errorf("postgres: forward: %w", err)
	}
	defer s.active.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.base, cancel)()
	pub, err := to.Publisher()
	if err != nil {
		return fmt.Errorf("postgres: forward: open the publisher: %w", err)
	}
	defer pub.Close()
	pool, err := s.open(ctx)
	if err != nil {
		return fmt.Errorf("postgres: forward: %w", s.failed(err))
	}
	more := make(chan struct{}, 1)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		wake := func() { signal(more) }
		s.listen(ctx, pool, wake, func(text string) {
			if text == kindOutbox {
				wake()
			}
		})
	}()
	defer func() { cancel(); <-listening }()
	s.forward(ctx, pool, pub, more)
	return nil
}

func (s *Store) forward(ctx context.Context, pool *pgxpool.Pool, pub message.Publisher, more <-chan struct{}) {
	const soon = 100 * time.Millisecond
	retry := soon
	for {
		n, err := s.forwardSome(ctx, pool, pub)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.complain("the outbox was not forwarded", err)
			pause(ctx, retry)
			retry = min(2*retry, 5*time.Second)
			continue
		}
		if retry = soon; n < maxForward && !pause(ctx, s.config.Poll, more) {
			return
		}
	}
}

// forwardSome publishes some messages and deletes them in one transaction, which
// holds them against others meanwhile.
func (s *Store) forwardSome(ctx context.Context, pool *pgxpool.Pool, pub message.Publisher) (n int, err error) {
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.config.sql(`
select id, topic, uuid, metadata, payload from {s}.outbox
where at is null or at <= clock_timestamp() order by id limit $1 for update skip locked`), maxForward)
		if err != nil {
			return err
		}
		var ids []int64
		byTopic := map[string][]*message.Message{}
		var id int64
		var topic, uuid string
		var metadata, payload []byte
		_, err = pgx.ForEachRow(rows, []any{&id, &topic, &uuid, &metadata, &payload}, func() error {
			m, err := newMessage(uuid, metadata, payload)
			payload = nil // it is the message's now
			ids, byTopic[topic] = append(ids, id), append(byTopic[topic], m)
			return err
		})
		if n = len(ids); err != nil || n == 0 {
			return err
		}
		for topic, messages := range byTopic {
			for _, m := range messages {
				m.SetContext(ctx)
			}
			if err := pub.Publish(topic, messages...); err != nil {
				return fmt.Errorf("publish to %s: %w", topic, err)
			}
		}
		_, err = tx.Exec(ctx, s.config.sql("delete from {s}.outbox where id = any($1)"), ids)
		return err
	})
	return n, err
}
