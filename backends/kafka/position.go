package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-6c01d079/notify/backend"
)

// Fix implements [backend.Positioner]: it commits an offset for every partition
// that has none. Of several processes that fix one group at once, the first
// decides. While the group has members, they are the only ones who can commit;
// Fix waits until they have. A group that had a position which the cluster has
// lost is an error, which wraps [ErrPositionLost].
func (b *Backend) Fix(ctx context.Context, topic, group string, from backend.Start) error {
	if err := b.position(ctx, topic, group, func(ctx context.Context, name, id string) error {
		return b.fix(ctx, name, id, from)
	}); err != nil {
		return fmt.Errorf("kafka: fix the position of %s in %s: %w", group, topic, err)
	}
	return nil
}

// ErrPositionLost: a group had a position, and the cluster does not have it any
// more: its offsets expired (offsets.retention.minutes) or were deleted. Nobody
// but the host can say where to go on.
var ErrPositionLost = errors.New("the group's position is lost")

func lost(id, topic string, partition int32) error {
	return fmt.Errorf("%w: the cluster has no offset of group %s for partition %d of %s, and it had: set one (kafka-consumer-groups.sh --reset-offsets --group %s --topic %s), or forget the group to begin anew",
		ErrPositionLost, id, partition, topic, id, topic)
}

// position calls do with the names that the topic and the group have in the
// cluster.
func (b *Backend) position(ctx context.Context, topic, group string, do func(ctx context.Context, name, id string) error) error {
	switch {
	case topic == "":
		return errors.New("the topic is empty")
	case group == "":
		return errors.New("the group is empty")
	}
	ctx, leave, err := b.begin(ctx)
	if err != nil {
		return err
	}
	defer leave()
	name, err := b.topics.ensure(ctx, topic)
	if err == nil {
		err = do(ctx, name, b.groupID(topic, group))
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		b.topics.gone(name, err)
	}
	return ended(ctx, explain(err))
}

func (b *Backend) fix(ctx context.Context, topic, id string, from backend.Start) error {
	committed, err := b.committed(ctx, topic, id)
	if err != nil {
		return err
	}
	if len(committed.missing) == 0 {
		if k, ok := b.groups.cached(id); ok && k.Fixed && k.Partitions >= committed.partitions {
			return nil
		}
	}
	k, ok, err := b.groups.lookup(ctx, id)
	if err != nil {
		return err
	}
	if len(committed.missing) > 0 {
		if !ok {
			begin, err := b.begins(ctx, topic, committed, from)
			if err != nil {
				return err
			}
			if k, err = b.groups.propose(ctx, id, known{Partitions: committed.partitions, Begin: begin}); err != nil {
				return err
			}
		}
		if committed, err = b.complete(ctx, topic, id, k); err != nil {
			return err
		}
	}
	if len(committed.missing) > 0 || k.Fixed && k.Partitions >= committed.partitions {
		return nil
	}
	return b.groups.fixed(ctx, id, committed.partitions)
}

// complete commits what a group is known to begin with, where it has no offset.
// Partitions that are newer than the group may be left to its members.
func (b *Backend) complete(ctx context.Context, topic, id string, k known) (committed, error) {
	for {
		c, err := b.committed(ctx, topic, id)
		if err != nil || len(c.missing) == 0 {
			return c, err
		}
		offsets := make(kadm.Offsets)
		for _, p := range c.missing {
			at, err := b.beginning(ctx, topic, id, p, k)
			if err != nil {
				return c, err
			}
			offsets.Add(kadm.Offset{Topic: topic, Partition: p, At: at, LeaderEpoch: -1})
		}
		err = b.admin().CommitAllOffsets(ctx, id, offsets)
		switch {
		case err == nil:
			c.missing = nil
			return c, nil
		case !occupied(err):
			return c, err
		case k.Fixed && c.missing[0] >= k.Partitions:
			// These begin at the oldest message, whenever that is.
			return c, nil
		}
		select { // its members do it
		case <-ctx.Done():
			return c, fmt.Errorf("its members have not committed offsets for %d partitions: %w", len(c.missing), context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// occupied tells whether a commit was refused because the group has members.
func occupied(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.StaleMemberEpoch)
}

// beginning is where a group begins in a partition for which it has no offset:
// where it was fixed, or at the oldest message if the partition is newer than
// the group.
func (b *Backend) beginning(ctx context.Context, topic, id string, partition int32, k known) (int64, error) {
	switch {
	case k.Fixed && partition < k.Partitions:
		return 0, lost(id, topic, partition)
	case !k.Fixed && int(partition) < len(k.Begin):
		return k.Begin[partition], nil
	}
	starts, err := listed(b.admin().ListStartOffsets(ctx, topic))
	if err != nil {
		return 0, err
	}
	return starts[partition], nil
}

// begins returns where each partition begins; where there is an offset, that
// stays.
func (b *Backend) begins(ctx context.Context, topic string, c committed, from backend.Start) ([]int64, error) {
	var at map[int32]int64
	var err error
	switch {
	case from.Oldest():
		at, err = listed(b.admin().ListStartOffsets(ctx, topic))
	case from.Time().IsZero():
		at, err = listed(b.admin().ListEndOffsets(ctx, topic))
	default:
		at, err = b.since(ctx, topic, from.Time())
	}
	if err != nil {
		return nil, err
	}
	begin := make([]int64, c.partitions)
	for p := range begin {
		begin[p] = at[int32(p)]
		if has, ok := c.offsets[int32(p)]; ok {
			begin[p] = has
		}
	}
	return begin, nil
}

// since returns the offsets of the first messages at a time or later. Where there
// is none that is the end as it was before they were asked for, or what comes
// meanwhile would be missed. What is older than a millisecond comes too, rather
// than not.
func (b *Backend) since(ctx context.Context, topic string, t time.Time) (map[int32]int64, error) {
	ends, err := listed(b.admin().ListEndOffsets(ctx, topic))
	if err != nil {
		return nil, err
	}
	at, err := listed(b.admin().ListOffsetsAfterMilli(ctx, t.UnixMilli(), topic))
	if err != nil {
		return nil, err
	}
	for p, end := range ends {
		at[p] = min(at[p], end)
	}
	return at, nil
}

// listed returns the offsets of a topic's partitions.
func listed(all kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	all.Each(func(o kadm.ListedOffset) { offsets[o.Partition] = o.Offset })
	return offsets, nil
}

// committed is what the cluster has of a group in a topic.
type committed struct {
	partitions int32 // of the topic
	offsets    map[int32]int64
	notes      map[int32]string // beside them
	missing    []int32          // partitions without an offset, ascending
}

func (b *Backend) committed(ctx context.Context, topic, id string) (committed, error) {
	detail, err := b.topics.detail(ctx, b.admin(), topic)
	if err == nil && detail == nil {
		err = kerr.UnknownTopicOrPartition
	}
	if err != nil {
		return committed{}, err
	}
	c := committed{partitions: int32(len(detail.Partitions)), offsets: map[int32]int64{}, notes: map[int32]string{}}
	all, err := b.admin().FetchOffsets(ctx, id)
	if err == nil {
		err = all.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return committed{}, fmt.Errorf("read the offsets of group %s: %w", id, err)
	}
	for p := range c.partitions {
		if o, ok := all.Lookup(topic, p); ok && o.At >= 0 {
			c.offsets[p], c.notes[p] = o.At, o.Metadata
		} else {
			c.missing = append(c.missing, p)
		}
	}
	return c, nil
}
