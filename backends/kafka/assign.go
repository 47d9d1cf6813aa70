package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetched is called with the answer that assigned gets the offsets of.
func (m *member) fetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	notes := map[int32]string{}
	take := func(partition int32, metadata *string) {
		if metadata != nil {
			notes[partition] = *metadata
		}
	}
	for _, t := range resp.Topics { // of brokers before 3.0
		for _, p := range t.Partitions {
			take(p.Partition, p.Metadata)
		}
	}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				take(p.Partition, p.Metadata)
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = notes
	return nil
}

// assigned is called with the partitions that the member got and the offsets
// that are committed for them, before it fetches.
func (m *member) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-m.ready
	parts := offsets[m.topic]
	if len(parts) == 0 {
		return offsets, nil
	}
	if err := m.begin(ctx, parts); err != nil {
		if ctx.Err() == nil { // otherwise they are assigned anew
			m.end(fmt.Errorf("begin with the partitions of %s: %w", m.topic, explain(err)))
		}
		return nil, err
	}
	return offsets, nil
}

func (m *member) begin(ctx context.Context, parts map[int32]kgo.Offset) error {
	starts, ends, err := m.bounds(ctx)
	if err != nil {
		return err
	}
	fresh := map[int32]position{}
	m.mu.Lock()
	notes := m.notes
	m.mu.Unlock()
	for p, offset := range parts {
		at := offset.EpochOffset().Offset
		if at < 0 { // there is none
			k, _, err := m.backend.groups.lookup(ctx, m.id)
			if err != nil {
				return err
			}
			if at, err = m.backend.beginning(ctx, m.topic, m.id, p, k); err != nil {
				return err
			}
			fresh[p] = position{offset: at}
		}
		n, _ := readNote(at, notes[p])
		switch start, end := starts[p], ends[p]; {
		case at < start:
			m.skip(p, at, start)
			at = start
		case at > end:
			return beyond(m.id, m.topic, p, at, end)
		}
		if at != offset.EpochOffset().Offset {
			parts[p] = kgo.NewOffset().At(at)
		}
		if err := m.hold(p, at, n); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := m.commit(ctx, fresh); err != nil {
		return fmt.Errorf("write where the group begins: %w", err)
	}
	// Other members may not have come to theirs: the last to commit says it.
	c, err := m.backend.committed(ctx, m.topic, m.id)
	if err != nil || len(c.missing) > 0 {
		return err
	}
	return m.backend.groups.fixed(ctx, m.id, c.partitions)
}

// bounds are the oldest messages of the topic's partitions, and their ends.
func (m *member) bounds(ctx context.Context) (starts, ends map[int32]int64, err error) {
	admin := kadm.NewClient(m.client)
	if starts, err = listed(admin.ListStartOffsets(ctx, m.topic)); err != nil {
		return nil, nil, err
	}
	ends, err = listed(admin.ListEndOffsets(ctx, m.topic))
	return starts, ends, err
}

// hold makes the claim of a partition that the member has got.
func (m *member) hold(partition int32, at int64, n note) error {
	m.mu.Lock()
	old := m.claims[partition]
	m.release(partition, old)
	m.mu.Unlock()
	if old != nil {
		stop(context.Background(), map[int32]*held{partition: old})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims[partition] = &held{claim: m.open(partition, at, n), committed: position{offset: noOffset}}
	return nil
}

func (m *member) skip(partition int32, from, to int64) {
	m.backend.config.Logger.Warn("kafka: a group fell behind what the topic keeps, and goes on at the oldest message",
		"group", m.id, "topic", m.topic, "partition", partition, "from", from, "to", to)
	if m.skipped != nil {
		m.skipped(from, to)
	}
}

func beyond(id, topic string, partition int32, at, end int64) error {
	return fmt.Errorf("group %s is at offset %d of partition %d of %s, which ends at %d: the cluster lost messages, or the topic was made anew: set an offset (kafka-consumer-groups.sh --reset-offsets --group %s --topic %s), or forget the group to begin anew",
		id, at, partition, topic, end, id, topic)
}

func outOfRange(err error) bool { return errors.Is(err, kerr.OffsetOutOfRange) }

// reset goes on in a partition whose next message the topic does not have.
func (m *member) reset(ctx context.Context, partition int32) error {
	m.mu.Lock()
	h := m.claims[partition]
	m.mu.Unlock()
	if h == nil {
		return nil
	}
	starts, ends, err := m.bounds(ctx)
	if err != nil {
		return err
	}
	next := h.state().read
	switch {
	case next > ends[partition]:
		return beyond(m.id, m.topic, partition, next, ends[partition])
	case next < starts[partition]:
		m.skip(partition, next, starts[partition])
		next = starts[partition]
		h.skip(next)
	}
	m.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{m.topic: {partition: {Epoch: -1, Offset: next}}})
	return nil
}

// revoked is called when partitions go to another member: it gets them once
// this returns.
func (m *member) revoked(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	given := m.take(parts[m.topic])
	if len(given) == 0 {
		return
	}
	drain, cancel := context.WithTimeout(ctx, m.backend.config.Drain)
	defer cancel()
	stop(drain, given)
	last, cancel := context.WithTimeout(ctx, leaving)
	defer cancel()
	m.commitLast(last, given)
	m.drop(given, drain.Err() == nil)
}

// lost is called when others may have the partitions already.
func (m *member) lost(ctx context.Context, _ *kgo.Client, parts map[string][]int32) {
	gone := m.take(parts[m.topic])
	if len(gone) == 0 {
		return
	}
	m.backend.config.Logger.Warn("kafka: a member lost its partitions", "group", m.id, "topic", m.topic, "partitions", len(gone))
	drain, cancel := context.WithTimeout(ctx, m.backend.config.Drain)
	defer cancel()
	stop(drain, gone)
	m.drop(gone, drain.Err() == nil)
}

// take returns the claims of the partitions.
func (m *member) take(parts []int32) map[int32]*held {
	<-m.ready
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := map[int32]*held{}
	for _, p := range parts {
		if h := m.claims[p]; h != nil {
			taken[p] = h
		}
	}
	return taken
}

// drop ends the claims, which have stopped or not.
func (m *member) drop(all map[int32]*held, stopped bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, h := range all {
		m.release(p, h)
		if !stopped {
			m.given.Go(func() { h.stop(context.Background()) })
		}
	}
}

// stop stops the claims, all at once.
func stop(ctx context.Context, all map[int32]*held) {
	var ended sync.WaitGroup
	for _, h := range all {
		ended.Go(func() { h.stop(ctx) })
	}
	ended.Wait()
}
