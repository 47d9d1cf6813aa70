package main

import (
	"context"
	"errors"
	"fmt"
	"net/rpc"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// far is a child's access to the topics in the parent.
type far struct {
	client *rpc.Client
	life   int
}

var (
	_ backend.Consumer         = far{}
	_ backend.Positioner       = far{}
	_ backend.DelayedPublisher = far{}
	_ backend.Admitter         = far{}
	_ backend.Atomic           = farAtomic{}
	_ backend.DeadLetters      = farAtomic{}
)

func (f far) Publisher() (message.Publisher, error) { return farPublisher{f}, nil }

func (f far) Subscriber(string) (message.Subscriber, error) { return nil, errors.ErrUnsupported }

func (f far) Close() error { return nil }

type farPublisher struct{ far }

func (p farPublisher) Publish(topic string, messages ...*message.Message) error {
	return p.publish(context.Background(), topic, time.Time{}, messages)
}

func (f far) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	return f.publish(ctx, topic, at, messages)
}

func (f far) publish(ctx context.Context, topic string, at time.Time, messages []*message.Message) error {
	var all []Publication
	for _, m := range messages {
		wire, err := wireOf(m)
		if err != nil {
			return err
		}
		all = append(all, Publication{Topic: topic, At: at, Message: wire})
	}
	var fault Fault
	if err := ask(ctx, f.client, "Parent.Publish", all, &fault); err != nil {
		return err
	}
	return fault.err()
}

// Consume fetches messages and settles them, until ctx ends or the parent
// expels the member.
func (f far) Consume(ctx context.Context, c backend.Consumption) error {
	if err := c.Complete(); err != nil {
		return err
	}
	var number int64
	if err := ask(ctx, f.client, "Parent.Join", Join{f.life, c.Topic, c.Group, c.Concurrency}, &number); err != nil {
		return err
	}
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for {
		var g Given
		err := ask(ctx, f.client, "Parent.Fetch", number, &g)
		if ctx.Err() != nil {
			// What is under way may still be settled, so it leaves afterwards.
			handlers.Wait()
			_ = f.client.Call("Parent.Leave", number, &struct{}{})
			return nil
		}
		if err != nil {
			return fmt.Errorf("fetch from %s: %w", c.Topic, err)
		}
		handlers.Go(func() {
			s := Settle{Member: number, Number: g.Number}
			if done, err := c.Handle(context.WithoutCancel(ctx), backend.NewBatch(g.Attempt, g.Message.message())); done == 0 {
				s.Failed, s.Pause = "given back", time.Millisecond
				if err != nil {
					s.Failed, s.Pause = err.Error(), c.Backoff(g.Attempt, err)
				}
			}
			_ = f.client.Call("Parent.Settle", s, &struct{}{})
		})
	}
}

func (f far) position(ctx context.Context, p Position) (int64, error) {
	var out Positioned
	if err := ask(ctx, f.client, "Parent.Position", p, &out); err != nil {
		return 0, err
	}
	return out.Lag, out.Fault.err()
}

func (f far) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	_, err := f.position(ctx, Position{Op: "fix", Topic: topic, Group: group, Oldest: from.Oldest()})
	return err
}

func (f far) Rename(ctx context.Context, topic, from, to string) error {
	_, err := f.position(ctx, Position{Op: "rename", Topic: topic, Group: from, To: to})
	return err
}

func (f far) Forget(ctx context.Context, topic, group string) error {
	_, err := f.position(ctx, Position{Op: "forget", Topic: topic, Group: group})
	return err
}

func (f far) Lag(ctx context.Context, topic, group string) (int64, error) {
	return f.position(ctx, Position{Op: "lag", Topic: topic, Group: group})
}

func (f far) CatchUp(ctx context.Context, topic, group string) error {
	_, err := f.position(ctx, Position{Op: "catch up", Topic: topic, Group: group})
	return err
}

func (f far) Admit(ctx context.Context, topic string, n int, wait bool) error {
	_, err := f.position(ctx, Position{Op: "admit", Topic: topic, N: n, Wait: wait})
	return err
}

// farStore is a child's access to the records in the parent.
type farStore struct{ client *rpc.Client }

func (s farStore) query(ctx context.Context, q Query) (Found, error) {
	var out Found
	if err := ask(ctx, s.client, "Parent.Query", q, &out); err != nil {
		return out, err
	}
	return out, out.Fault.err()
}

func (s farStore) Load(ctx context.Context, id string) (backend.Record, error) {
	out, err := s.query(ctx, Query{Op: "load", ID: id})
	return out.Row.record(), err
}

func (s farStore) LoadAlias(ctx context.Context, alias string) (backend.Record, error) {
	out, err := s.query(ctx, Query{Op: "alias", ID: alias})
	return out.Row.record(), err
}

func (s farStore) Due(ctx context.Context, now time.Time, limit int) ([]string, time.Time, error) {
	out, err := s.query(ctx, Query{Op: "due", Now: now, Limit: limit})
	return out.IDs, out.Next, err
}

func (s farStore) Expire(ctx context.Context, now time.Time, limit int) (int, error) {
	out, err := s.query(ctx, Query{Op: "expire", Now: now, Limit: limit})
	return out.N, err
}

func (s farStore) Delete(ctx context.Context, id string, revision int64) error {
	_, err := s.query(ctx, Query{Op: "delete", ID: id, Revision: revision})
	return err
}

func (s farStore) Store(ctx context.Context, r backend.Record) (int64, error) {
	return s.commit(ctx, r, nil, true)
}

func (s farStore) commit(ctx context.Context, r backend.Record, out []backend.Publication, only bool) (int64, error) {
	row, err := rowOf(r)
	if err != nil {
		return 0, err
	}
	c := Commit{Row: row, Only: only}
	for _, p := range out {
		m, err := wireOf(p.Message)
		if err != nil {
			return 0, err
		}
		c.Out = append(c.Out, Publication{Topic: p.Topic, At: p.At, Message: m})
	}
	var answer Committed
	if err := ask(ctx, s.client, "Parent.Commit", c, &answer); err != nil {
		return 0, err
	}
	return answer.Revision, answer.Fault.err()
}

func (s farStore) letters(ctx context.Context, op LetterOp) (LetterResult, error) {
	var out LetterResult
	if err := ask(ctx, s.client, "Parent.Letters", op, &out); err != nil {
		return out, err
	}
	return out, out.Fault.err()
}

func (s farStore) Bury(ctx context.Context, d backend.DeadLetter) (string, bool, error) {
	l, err := letterOf(d)
	if err != nil {
		return "", false, err
	}
	out, err := s.letters(ctx, LetterOp{Op: "bury", Letter: l})
	return out.ID, out.Dropped, err
}

func (s farStore) Letters(ctx context.Context, group, after string, limit int) (found []backend.DeadLetter, err error) {
	out, err := s.letters(ctx, LetterOp{Op: "list", Group: group, After: after, Limit: limit})
	for _, l := range out.Letters {
		found = append(found, l.letter())
	}
	return found, err
}

func (s farStore) Unbury(ctx context.Context, id string) error {
	_, err := s.letters(ctx, LetterOp{Op: "unbury", ID: id})
	return err
}

// farAtomic is both, with steps that are one transaction.
type farAtomic struct {
	far
	farStore
}

func (a farAtomic) Commit(ctx context.Context, r backend.Record, out []backend.Publication) (int64, error) {
	return a.commit(ctx, r, out, false)
}
