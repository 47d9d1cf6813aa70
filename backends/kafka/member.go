package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// fetchWait is how long a broker may hold a fetch that finds nothing. It
	// bounds how long a partition waits that was paused.
	fetchWait = 500 * time.Millisecond
	// pollRecords bounds what is decoded at once.
	pollRecords = 4096
	// leaving bounds each of the last calls to a cluster that may be gone.
	leaving = 5 * time.Second
)

// errDismissed ends members whose group is forgotten.
var errDismissed = errors.New("the group was forgotten")

// member is a member of a group of the cluster: a client of its own, and a claim
// for each partition that it has.
type member struct {
	backend *Backend
	topic   string // in the cluster
	id      string // the group's
	// open makes the claim of a partition that begins at the offset.
	open func(partition int32, at int64) claim
	// skipped is told of messages that the topic has no more.
	skipped func(from, to int64)

	client *kgo.Client
	ready  chan struct{}           // closed when client is set
	end    context.CancelCauseFunc // ends run
	left   chan struct{}           // closed once it has left the group
	moved  chan struct{}           // a claim has moved
	tasks  sync.WaitGroup

	mu     sync.Mutex
	claims map[int32]*held
}

// move is told that a claim has moved.
func (m *member) move() {
	select {
	case m.moved <- struct{}{}:
	default:
	}
}

func (m *member) options() []kgo.Opt {
	c := &m.backend.config
	return append(m.backend.options(),
		kgo.ConsumerGroup(m.id),
		kgo.ConsumeTopics(m.topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.SessionTimeout(c.Session),
		kgo.HeartbeatInterval(c.Heartbeat),
		kgo.RebalanceTimeout(c.Drain+2*leaving),
		kgo.DisableAutoCommit(),
		// What was polled is in its claim before a partition is given up.
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(m.assigned),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(m.lost),
		// No offset is ever made up: assigned and outOfRange see to that.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(16<<20),
		kgo.FetchMaxPartitionBytes(1<<20),
	)
}

// run is a member until ctx ends, which is no error.
func (m *member) run(ctx context.Context) error {
	ctx, m.end = context.WithCancelCause(ctx)
	defer m.end(nil)
	stop := context.AfterFunc(m.backend.open, func() { m.end(nil) })
	defer stop()
	m.ready, m.left, m.moved, m.claims = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1), map[int32]*held{}
	defer close(m.left)
	leave, err := m.backend.join(m)
	if err != nil {
		return err
	}
	defer leave()
	if m.client, err = kgo.NewClient(m.options()...); err != nil {
		return err
	}
	close(m.ready)
	m.tasks.Go(func() { m.commitOften(ctx) })
	for ctx.Err() == nil {
		m.poll(ctx)
	}
	m.leave()
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded):
		return nil
	default:
		return cause
	}
}

// poll takes what was fetched to its claims.
func (m *member) poll(ctx context.Context) {
	fetches := m.client.PollRecords(ctx, pollRecords)
	defer m.client.AllowRebalance()
	if ctx.Err() != nil {
		return
	}
	fetches.EachError(func(_ string, partition int32, err error) { m.trouble(ctx, partition, err) })
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) == 0 {
			return
		}
		m.mu.Lock()
		h := m.claims[p.Partition]
		m.mu.Unlock()
		if h == nil {
			return // taken away since
		}
		h.add(p.Records)
		if h.room(always()) != nil {
			m.pause(ctx, p.Partition, h)
		}
	})
}

// pause has the partition fetched no further until its claim has room.
func (m *member) pause(ctx context.Context, partition int32, h *held) {
	m.mu.Lock()
	paused := h.paused
	h.paused = true
	m.mu.Unlock()
	if paused {
		return
	}
	one := map[string][]int32{m.topic: {partition}}
	m.client.PauseFetchPartitions(one)
	m.tasks.Go(func() {
		_ = h.room(ctx) // or it is over
		m.mu.Lock()
		defer m.mu.Unlock()
		h.paused = false
		if m.claims[partition] == h {
			m.client.ResumeFetchPartitions(one)
		}
	})
}

// trouble sees to an error of the client.
func (m *member) trouble(ctx context.Context, partition int32, err error) {
	session, isSession := errors.AsType[*kgo.ErrGroupSession](err)
	loss, isLoss := errors.AsType[*kgo.ErrDataLoss](err)
	switch {
	case ctx.Err() != nil || errors.Is(err, kgo.ErrClientClosed):
	case outOfRange(err):
		if err := m.reset(ctx, partition); err != nil {
			m.end(fmt.Errorf("partition %d: %w", partition, explain(err)))
		}
	case isLoss:
		m.end(fmt.Errorf("%w: messages that were acknowledged are gone: see to the cluster's brokers (unclean.leader.election.enable), then start again", loss))
	case isSession && passing(session.Err):
		m.backend.config.Logger.Warn("kafka: a member lost its partitions, and joins its group again", "group", m.id, "error", session.Err)
	default:
		m.backend.topics.gone(m.topic, err)
		m.end(explain(err))
	}
}

// leave gives everything up, and waits for handlers however long they take:
// until then the member keeps its partitions.
func (m *member) leave() {
	m.mu.Lock()
	all := maps.Clone(m.claims)
	m.mu.Unlock()
	stop(context.Background(), all)
	m.tasks.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), leaving)
	defer cancel()
	m.commitLast(ctx, all)
	_ = m.client.LeaveGroupContext(ctx) // the session's timeout does it otherwise
	m.client.Close()
}

// states adds how far the claims are.
func (m *member) states(to map[int32]state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, h := range m.claims {
		to[p] = h.state()
	}
}
