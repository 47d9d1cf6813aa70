package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
)

const (
	// delaysTopic holds messages until their time. Its partitions are tiers.
	delaysTopic = "notify.delays"
	// delaysGroup takes them from there. Its members are the processes that
	// consume anything.
	delaysGroup = "notify-delays"
)

// tiers are how long a message stays in each partition of the delays topic. All
// that is in one stays equally long, so only the oldest has to be watched. A
// message goes to the longest tier that it has time for, and then on; below the
// second it is held in memory until the very moment.
var tiers = [...]time.Duration{0, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour}

func tierOf(wait time.Duration) int32 {
	tier := 0
	for i, t := range tiers {
		if t <= wait {
			tier = i
		}
	}
	return int32(tier)
}

// The headers that a message has while it waits.
const (
	delayTopicHeader = "notify_delay_topic" // without the prefix
	delayUntilHeader = "notify_delay_until" // Unix time in nanoseconds
)

// PublishAt implements [backend.DelayedPublisher]. The messages are in the
// cluster until their time, and any process that consumes brings them on then:
// some milliseconds late while it runs, and more than once when it is ended
// just then. Messages that no process has brought on after their time for
// [Config.Retention] are lost.
func (b *Backend) PublishAt(ctx context.Context, at time.Time, topic string, messages ...*message.Message) error {
	err := b.publishAt(ctx, at, topic, messages)
	if err != nil {
		return fmt.Errorf("kafka: publish to %s at a time: %w", topic, err)
	}
	return nil
}

func (b *Backend) publishAt(ctx context.Context, at time.Time, topic string, messages []*message.Message) error {
	wait := time.Until(at)
	if wait <= 0 {
		return b.publish(ctx, topic, messages)
	}
	ctx, leave, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer leave()
	name, err := b.topics.ensure(ctx, topic)
	if err == nil {
		err = b.delays.make(ctx)
	}
	if err != nil {
		return ended(ctx, err)
	}
	e, err := b.encode(name, messages)
	if err != nil {
		return err
	}
	for _, r := range e.all {
		b.delays.address(r, topic, at, wait)
	}
	return b.produce(ctx, e.all)
}

// delays is the group that brings delayed messages on.
type delays struct {
	backend *Backend
	begun   sync.Once
}

// address has the record wait for its time.
func (d *delays) address(r *kgo.Record, topic string, at time.Time, wait time.Duration) {
	r.Topic, r.Partition = d.backend.topicName(delaysTopic), tierOf(wait)
	r.Headers = append(r.Headers,
		kgo.RecordHeader{Key: delayTopicHeader, Value: []byte(topic)},
		kgo.RecordHeader{Key: delayUntilHeader, Value: strconv.AppendInt(nil, at.UnixNano(), 10)},
	)
}

// addressed undoes address. The headers hold nothing else of what was fetched.
func addressed(r *kgo.Record) (topic string, at time.Time, rest []kgo.RecordHeader, _ error) {
	var until string
	for _, h := range r.Headers {
		switch h.Key {
		case delayTopicHeader:
			topic = string(h.Value)
		case delayUntilHeader:
			until = string(h.Value)
		default:
			rest = append(rest, kgo.RecordHeader{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
	}
	nanos, err := strconv.ParseInt(until, 10, 64)
	if err != nil || !legalTopic(topic) {
		return "", time.Time{}, nil, errors.New("it does not say where it goes, or when")
	}
	return topic, time.Unix(0, nanos), rest, nil
}

func (d *delays) make(ctx context.Context) error {
	b := d.backend
	return b.topics.make(ctx, design{
		name: b.topicName(delaysTopic), create: len(tiers), partitions: len(tiers), retention: b.config.Retention + slices.Max(tiers[:]),
	})
}

// run is a member of the group from now on, until the backend is closed. Only
// the first call does something.
func (d *delays) run() {
	d.begun.Do(func() {
		b := d.backend
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.closed {
			return
		}
		b.members.active.Go(d.bring)
	})
}

// bring brings messages on, however often that fails.
func (d *delays) bring() {
	b := d.backend
	for pause := 100 * time.Millisecond; b.open.Err() == nil; pause = min(2*pause, 10*time.Second) {
		begun := time.Now()
		err := d.member(b.open)
		if b.open.Err() != nil {
			return
		}
		if time.Since(begun) > time.Minute {
			pause = 100 * time.Millisecond
		}
		b.config.Logger.Error("kafka: delayed messages are not brought on, which is tried again", "error", err)
		select {
		case <-b.open.Done():
		case <-time.After(pause):
		}
	}
}

// member is a member of the group until ctx ends or it fails.
func (d *delays) member(ctx context.Context) error {
	b := d.backend
	name, id := b.topicName(delaysTopic), b.groupID(delaysTopic, delaysGroup)
	fixing, leave, err := b.begin(ctx)
	if err != nil {
		return err
	}
	if err = d.make(fixing); err == nil {
		err = explain(b.fix(fixing, name, id, backend.FromOldest()))
	}
	leave()
	if err != nil {
		return err
	}
	m := &member{backend: b, topic: name, id: id}
	m.open = func(partition int32, at int64, n note) claim { return newTier(m, partition, at, n) }
	return m.run(ctx)
}
