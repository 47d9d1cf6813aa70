package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitOften writes positions every now and then, if they have moved.
func (m *member) commitOften(ctx context.Context) {
	ticks := time.NewTicker(m.backend.config.CommitInterval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		select {
		case <-m.moved:
		default:
			continue
		}
		if err := m.commitMoved(ctx, m.current); err != nil {
			m.move() // again
			if ctx.Err() == nil && lasting(err) {
				m.end(fmt.Errorf("write the position: %w", explain(err)))
			}
		}
	}
}

// commitLast writes the positions of claims that the member gives up. If that
// fails, what they have finished since they were written comes again.
func (m *member) commitLast(ctx context.Context, all map[int32]*held) {
	if err := m.commitMoved(ctx, func() map[int32]*held { return all }); err != nil {
		m.backend.config.Logger.Warn("kafka: the last position could not be written, so some messages will come again", "group", m.id, "error", err)
	}
}

// current are the claims that the member has now.
func (m *member) current() map[int32]*held {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.claims)
}

// commitMoved writes the positions that are not written. It looks at them when
// its turn has come: one that is written late would be behind, and may be of a
// partition that another member has by then.
func (m *member) commitMoved(ctx context.Context, of func() map[int32]*held) error {
	m.committing.Lock()
	defer m.committing.Unlock()
	all, offsets := of(), map[int32]kgo.EpochOffset{}
	for p, h := range all {
		low := h.state().low
		m.mu.Lock()
		if low != h.committed {
			offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: low}
		}
		m.mu.Unlock()
	}
	if err := m.commit(ctx, offsets); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, o := range offsets {
		all[p].committed = o.Offset
	}
	return nil
}

// commit writes offsets as this member, which fails if it is none any more.
func (m *member) commit(ctx context.Context, offsets map[int32]kgo.EpochOffset) error {
	if len(offsets) == 0 {
		return nil
	}
	var failed error
	m.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			problems := []error{err}
			if err == nil {
				for _, t := range resp.Topics {
					for _, p := range t.Partitions {
						problems = append(problems, kerr.ErrorForCode(p.ErrorCode))
					}
				}
			}
			failed = errors.Join(problems...)
		})
	return failed
}
