package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify/backend"
)

const (
	// maxForward bounds what is forwarded at once.
	maxForward = 100
	// claimedFor is how long others leave alone what somebody forwards.
	claimedFor = 30 * time.Second
	// refusedFor is how long a message is left alone that was refused.
	refusedFor = 5 * time.Second
)

// Forward publishes to a backend what [SendTx] put into the outbox, until ctx
// ends; then it returns nil. It goes on while the database or the backend fails,
// and tells the Logger. Any number of processes may forward: each message is
// taken by one of them, in no particular order. What a process had taken that
// died is forwarded by others after 30 s. A message is published at least once; a
// Notifier absorbs that. One that the backend refuses stays in the outbox, is
// tried again every 5 s, and holds up no other.
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

// letter is a message of the outbox.
type letter struct {
	id      int64
	topic   string
	message *message.Message
}

// forwardSome publishes some messages and deletes them, without a transaction
// that would be open while the other backend takes its time: it claims them, so
// that others leave them alone for a while. Those that are refused are tried again
// later, and hold up no others.
func (s *Store) forwardSome(ctx context.Context, pool *pgxpool.Pool, pub message.Publisher) (n int, err error) {
	letters, err := s.claim(ctx, pool)
	if err != nil || len(letters) == 0 {
		return 0, err
	}
	done, refused, failed := deliver(ctx, pub, letters)
	rest := make([]int64, 0, len(letters))
	for _, l := range letters {
		if !slices.Contains(done, l.id) && !slices.Contains(refused, l.id) {
			rest = append(rest, l.id)
		}
	}
	// What was published is deleted, even if ctx has ended meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err = pool.Exec(ctx, s.config.sql(`
with d as (delete from {s}.outbox where id = any($1::bigint[]))
update {s}.outbox set at = case when id = any($2::bigint[]) then clock_timestamp() + make_interval(secs => $4) end where id = any($2::bigint[] || $3::bigint[])`),
		done, refused, rest, refusedFor.Seconds())
	return len(letters), errors.Join(failed, err)
}

func (s *Store) claim(ctx context.Context, pool *pgxpool.Pool) (letters []letter, err error) {
	ctx, cancel := s.inTime(ctx)
	defer cancel()
	rows, err := pool.Query(ctx, s.config.sql(`
update {s}.outbox o set at = clock_timestamp() + make_interval(secs => $2) from (
  select id from {s}.outbox where at is null or at <= clock_timestamp() order by id limit $1 for update skip locked
) free where o.id = free.id returning o.id, o.topic, o.uuid, o.metadata, o.payload`), maxForward, claimedFor.Seconds())
	if err != nil {
		return nil, err
	}
	var l letter
	var uuid string
	var metadata, payload []byte
	_, err = pgx.ForEachRow(rows, []any{&l.id, &l.topic, &uuid, &metadata, &payload}, func() (err error) {
		l.message, err = newMessage(uuid, metadata, payload)
		payload = nil // it is the message's now
		letters = append(letters, l)
		return err
	})
	slices.SortFunc(letters, func(a, b letter) int { return cmp.Compare(a.id, b.id) })
	return letters, err
}

// deliver publishes the letters, by the topic. If that fails, it goes through
// them one by one, until two are refused in a row: that is not about them.
func deliver(ctx context.Context, pub message.Publisher, letters []letter) (done, refused []int64, failed error) {
	byTopic := map[string][]*message.Message{}
	for _, l := range letters {
		l.message.SetContext(ctx)
		byTopic[l.topic] = append(byTopic[l.topic], l.message)
	}
	published := map[string]bool{}
	for topic, messages := range byTopic {
		published[topic] = pub.Publish(topic, messages...) == nil
	}
	inARow := 0
	for _, l := range letters {
		if published[l.topic] {
			done = append(done, l.id)
			continue
		}
		if inARow == 2 || ctx.Err() != nil {
			continue
		}
		inARow++
		if err := pub.Publish(l.topic, l.message); err != nil {
			refused, failed = append(refused, l.id), fmt.Errorf("publish to %s: %w", l.topic, err)
			continue
		}
		done, inARow = append(done, l.id), 0
	}
	return done, refused, failed
}
