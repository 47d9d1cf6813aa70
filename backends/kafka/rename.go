package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Rename implements [backend.Positioner]: it copies the offsets, then forgets
// the old group. While that has members, it stays, and its members go on under
// the old name: what they handle from then on, the new group handles too.
func (b *Backend) Rename(ctx context.Context, topic, from, to string) error {
	err := errors.New("the new name is empty")
	if to != "" {
		err = b.position(ctx, topic, from, func(ctx context.Context, name, old string) error {
			return b.rename(ctx, name, old, b.groupID(topic, to))
		})
	}
	if err != nil {
		return fmt.Errorf("kafka: rename %s in %s: %w", from, topic, err)
	}
	return nil
}

func (b *Backend) rename(ctx context.Context, topic, from, to string) error {
	was, err := b.committed(ctx, topic, from)
	if err != nil || len(was.offsets) == 0 {
		return err
	}
	has, err := b.committed(ctx, topic, to)
	if err != nil || len(has.offsets) > 0 {
		return err
	}
	if _, ok, err := b.groups.lookup(ctx, to); err != nil || ok {
		return err
	}
	offsets := make(kadm.Offsets)
	for p, at := range was.offsets {
		offsets.Add(kadm.Offset{Topic: topic, Partition: p, At: at, LeaderEpoch: -1, Metadata: was.notes[p]})
	}
	if err := b.admin().CommitAllOffsets(ctx, to, offsets); err != nil {
		return fmt.Errorf("write the offsets of group %s: %w", to, err)
	}
	// Partitions that are newer than the group are so for the new one too.
	partitions := was.partitions
	if len(was.missing) > 0 {
		partitions = was.missing[0]
	}
	if k, ok := b.groups.cached(from); ok && k.Fixed {
		partitions = k.Partitions
	}
	if err := b.groups.fixed(ctx, to, partitions); err != nil {
		return err
	}
	if err := b.forget(ctx, from); !errors.Is(err, kerr.NonEmptyGroup) {
		return err
	}
	return nil
}

// Forget implements [backend.Positioner]: it deletes the group. Members in this
// process get nothing more. It fails while the group has members in others.
func (b *Backend) Forget(ctx context.Context, topic, group string) error {
	if err := b.position(ctx, topic, group, func(ctx context.Context, _, id string) error {
		if err := b.members.dismiss(ctx, id); err != nil {
			return err
		}
		err := b.forget(ctx, id)
		if errors.Is(err, kerr.NonEmptyGroup) {
			return fmt.Errorf("%w: it has members in other processes: end those first", err)
		}
		return err
	}); err != nil {
		return fmt.Errorf("kafka: forget %s in %s: %w", group, topic, err)
	}
	return nil
}

// forget deletes the group, and then that it is known: in that order, since a
// crash between them leaves an error rather than a group that begins anew.
func (b *Backend) forget(ctx context.Context, id string) error {
	deleted, err := b.admin().DeleteGroup(ctx, id)
	if err == nil {
		err = deleted.Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("delete group %s: %w", id, err)
	}
	if _, ok, err := b.groups.lookup(ctx, id); err != nil || !ok {
		return err
	}
	return b.groups.forget(ctx, id)
}
