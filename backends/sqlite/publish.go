package sqlite

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Publisher implements [backend.Backend]. It opens the file, unless it is open.
// Its Publish returns once the messages are on disk, all or none.
func (b *Backend) Publisher() (message.Publisher, error) {
	if _, err := b.enter(context.Background()); err != nil {
		return nil, fmt.Errorf("sqlite: publisher: %w", err)
	}
	b.leave()
	return &publisher{backend: b}, nil
}

type publisher struct {
	backend *Backend
	closed  atomic.Bool
}

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return fmt.Errorf("sqlite: publish to %s: the publisher is %w", topic, backend.ErrClosed)
	}
	out := make([]backend.Publication, len(messages))
	for i, m := range messages {
		out[i] = backend.Publication{Topic: topic, Message: m}
	}
	if err := p.backend.publish(context.Background(), out); err != nil {
		return fmt.Errorf("sqlite: publish to %s: %w", topic, err)
	}
	return nil
}

func (p *publisher) Close() error {
	p.closed.Store(true)
	return nil
}

// PublishAt implements [backend.DelayedPublisher]. Messages become visible in
// the order of their times, and of publishing where these are equal. Beyond
// [Config.MaxDelayed] the error wraps backend.ErrOverloaded, and nothing was
// published.
func (b *Backend) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	out := make([]backend.Publication, len(messages))
	for i, m := range messages {
		out[i] = backend.Publication{Topic: topic, Message: m, At: at}
	}
	if err := b.publish(ctx, out); err != nil {
		return fmt.Errorf("sqlite: publish to %s at a time: %w", topic, err)
	}
	return nil
}

func (b *Backend) publish(ctx context.Context, out []backend.Publication) error {
	s, err := b.enter(ctx)
	if err != nil {
		return err
	}
	defer b.leave()
	p, err := postOf(out)
	if err != nil || len(p.rows) == 0 {
		return err
	}
	return s.writer.do(ctx, p.size, func(t *tx) error { return t.post(p) })
}

// post is what is published in one operation.
type post struct {
	out  []backend.Publication
	rows []*row
	size int
}

func postOf(out []backend.Publication) (post, error) {
	p := post{out: out, rows: make([]*row, len(out))}
	for i, one := range out {
		if one.Topic == "" {
			return p, fmt.Errorf("message %d: the topic is empty", i)
		}
		m := one.Message
		if one.Local != nil {
			m = backend.MessageOf(one.Local)
		}
		r, err := rowOf(m)
		if err != nil {
			return p, fmt.Errorf("message %d: %w", i, err)
		}
		r.own()
		p.rows[i] = r
		p.size += r.size
	}
	return p, nil
}

// post publishes messages now or at their times.
func (t *tx) post(p post) error {
	later := 0
	for _, one := range p.out {
		if one.At.After(t.now) {
			later++
		}
	}
	if later > 0 && t.store.delayed+later > t.store.config.MaxDelayed {
		return fmt.Errorf("%d messages wait for their time: %w", t.store.delayed, backend.ErrOverloaded)
	}
	for i, one := range p.out {
		topic, err := t.topic(one.Topic)
		if err != nil {
			return err
		}
		if one.At.After(t.now) {
			err = t.delay(topic, p.rows[i], one.At)
		} else {
			err = t.append(topic, p.rows[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
