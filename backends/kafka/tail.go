package kafka

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
)

// Tail implements [backend.Tailer]. It reads the partition of the key only. If
// the topic has got more partitions, what was published before may be in
// another, and does not come. A sequence that is ranged over has connections of
// its own. Close waits until it has ended.
func (b *Backend) Tail(ctx context.Context, topic, key string, since time.Time) iter.Seq2[*message.Message, error] {
	return func(yield func(*message.Message, error) bool) {
		open := true
		err := b.tail(ctx, topic, key, since, func(m *message.Message) bool {
			open = yield(m, nil)
			return open
		})
		if err != nil && open && ctx.Err() == nil {
			yield(nil, fmt.Errorf("kafka: tail %s: %w", topic, err))
		}
	}
}

func (b *Backend) tail(ctx context.Context, topic, key string, since time.Time, show func(*message.Message) bool) error {
	ctx, leave, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer leave()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(b.open, func() { cancel(backend.ErrClosed) })
	defer stop()

	name, partition, err := b.partitionOf(ctx, topic, key)
	if err != nil {
		return ended(ctx, explain(err))
	}
	from := kgo.NewOffset().AtStart()
	if !since.IsZero() {
		at, err := b.since(ctx, name, since)
		if err != nil {
			return ended(ctx, explain(err))
		}
		from = kgo.NewOffset().At(at[partition])
	}
	client, err := kgo.NewClient(append(b.options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {partition: from}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // what is gone is gone
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(4<<20),
	)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return ended(ctx, context.Cause(ctx))
		}
		if err := fetches.Err(); err != nil {
			return explain(err)
		}
		for r := range fetches.RecordsAll() {
			if string(r.Key) == key && !show(decode(r)) {
				return nil
			}
		}
	}
}

// partitionOf says where messages of the key are.
func (b *Backend) partitionOf(ctx context.Context, topic, key string) (name string, partition int32, err error) {
	if name, err = b.topics.ensure(ctx, topic); err != nil {
		return "", 0, err
	}
	detail, err := b.topics.detail(ctx, b.admin(), name)
	switch {
	case err != nil:
		return "", 0, err
	case detail == nil:
		b.topics.gone(name, kerr.UnknownTopicOrPartition)
		return "", 0, kerr.UnknownTopicOrPartition
	}
	r := &kgo.Record{Topic: name}
	if key != "" {
		r.Key = []byte(key)
	}
	return name, int32(b.partitioner().ForTopic(name).Partition(r, len(detail.Partitions))), nil
}
