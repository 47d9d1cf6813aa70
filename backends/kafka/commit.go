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
	all, positions := of(), map[int32]position{}
	for p, h := range all {
		s := h.state()
		m.mu.Lock()
		if at := (position{s.low, s.note}); at != h.committed {
			positions[p] = at
		}
		m.mu.Unlock()
	}
	if err := m.commit(ctx, positions); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, at := range positions {
		all[p].committed = at
	}
	return nil
}

// commit writes positions as this member, which fails if it is none any more.
func (m *member) commit(ctx context.Context, positions map[int32]position) error {
	if len(positions) == 0 {
		return nil
	}
	offsets := map[int32]kgo.EpochOffset{}
	for p, at := range positions {
		offsets[p] = kgo.EpochOffset{Epoch: -1, Offset: at.offset}
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for t := range req.Topics { // there is one
			for i := range req.Topics[t].Partitions {
				p := &req.Topics[t].Partitions[i]
				p.Metadata = new(positions[p.Partition].note)
			}
		}
		return nil
	})
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
