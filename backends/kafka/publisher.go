package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
)

// Publisher implements [backend.Backend]. It connects to the cluster, checks the
// configuration, and creates or checks the backend's own topics: its error says
// what is wrong with any of them. The handle's
// Publish writes all messages in one go and returns once every replica in sync
// has them, for at most [Config.PublishTimeout]; after an error some or all of
// them may have been written, and may be published again.
func (b *Backend) Publisher() (message.Publisher, error) {
	ctx, leave, err := b.begin(context.Background())
	if err != nil {
		return nil, fmt.Errorf("kafka: publisher: %w", err)
	}
	defer leave()
	for _, own := range []func(context.Context) error{b.groups.make, b.delays.make} {
		if err := own(ctx); err != nil {
			return nil, fmt.Errorf("kafka: publisher: %w", ended(ctx, err))
		}
	}
	return &publisher{backend: b}, nil
}

type publisher struct {
	backend *Backend
	closed  atomic.Bool
}

func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if p.closed.Load() {
		return fmt.Errorf("kafka: publish to %s: the publisher is %w", topic, backend.ErrClosed)
	}
	if err := p.backend.publish(context.Background(), topic, messages); err != nil {
		return fmt.Errorf("kafka: publish to %s: %w", topic, err)
	}
	return nil
}

func (p *publisher) Close() error {
	p.closed.Store(true)
	return nil
}

func (b *Backend) publish(ctx context.Context, topic string, messages []*message.Message) error {
	ctx, leave, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer leave()
	name, err := b.topics.ensure(ctx, topic)
	if err != nil {
		return ended(ctx, err)
	}
	e, err := b.encode(name, messages)
	if err != nil {
		return err
	}
	if err := b.produce(ctx, e.all); err != nil {
		return err // and the client may still be at it
	}
	b.recycle(e)
	return nil
}

// encode makes records of messages that are not too large.
func (b *Backend) encode(topic string, messages []*message.Message) (*encoder, error) {
	e, ok := b.encoders.Get().(*encoder)
	if !ok {
		e = new(encoder)
	}
	e.begin(topic, len(messages))
	for i, m := range messages {
		size, err := e.encode(m)
		if err == nil && size > b.config.MaxBytes {
			err = fmt.Errorf("it has %d bytes with its key and metadata, and Config.MaxBytes is %d: %w", size, b.config.MaxBytes, errTooLarge)
		}
		if err != nil {
			return nil, fmt.Errorf("message %d of %d: %w", i+1, len(messages), err)
		}
	}
	return e, nil
}

// recycle keeps an encoder whose records are written.
func (b *Backend) recycle(e *encoder) {
	if cap(e.records) <= most {
		e.end()
		b.encoders.Put(e)
	}
}

var errTooLarge = errors.New("the message is too large")

// produce writes the records and waits until all replicas in sync have them, for
// at most PublishTimeout. When it fails they may be written all the same, even
// later.
func (b *Backend) produce(ctx context.Context, records []*kgo.Record) error {
	if ctx == b.ctx {
		return b.write(records).FirstErr()
	}
	if ctx.Err() != nil {
		return ended(ctx, context.Cause(ctx))
	}
	written := make(chan error, 1)
	b.active.Add(1) // the caller is counted too, so Close has not ended its wait
	go func() {
		defer b.active.Done()
		written <- b.write(records).FirstErr()
	}()
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return ended(ctx, explain(context.Cause(ctx)))
	}
}

// write is produce for no caller in particular, record by record: the client
// fails a partition's records together when the context of one ends, and those
// may be of several callers.
func (b *Backend) write(records []*kgo.Record) kgo.ProduceResults {
	if len(records) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(b.ctx, b.config.PublishTimeout)
	defer cancel()
	results := b.producer().ProduceSync(ctx, records...) // in the order in which they come
	for i, result := range results {
		err := result.Err
		if err == nil {
			continue
		}
		b.topics.gone(result.Record.Topic, err)
		if errors.Is(err, context.DeadlineExceeded) { // of this call, or of one before it
			err = kgo.ErrRecordTimeout
		}
		results[i].Err = ended(b.ctx, explain(err))
	}
	return results
}
