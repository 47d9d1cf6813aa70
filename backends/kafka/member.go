package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
)

const (
	// fetchWait is how long a broker may hold a fetch that finds nothing. It
	// bounds how long a partition waits that was paused.
	fetchWait = 500 * time.Millisecond
	// pollRecords bounds what is decoded at once.
	pollRecords = 4096
	// brief is half of how long a claim that is stuck holds up the others.
	brief = 10 * time.Millisecond
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
	// open makes the claim of a partition that begins at the offset, with what
	// is noted beside that.
	open func(partition int32, at int64, n note) claim
	// skipped, if set, is told of messages that the topic has no more.
	skipped func(from, to int64)
	// busy, if set, says that no more can be handled at once.
	busy func() bool
	// noNotes is set when the cluster takes no metadata as long as ours.
	noNotes atomic.Bool

	client *kgo.Client
	ready  chan struct{}           // closed when client is set
	end    context.CancelCauseFunc // ends run
	left   chan struct{}           // closed once it has left the group
	moved  chan struct{}           // a claim has moved
	tasks  sync.WaitGroup
	given  sync.WaitGroup // handlers that were still at work when their claim was given up

	committing sync.Mutex // held while positions are written; before mu

	mu     sync.Mutex
	claims map[int32]*held
	notes  map[int32]string // beside the offsets that were fetched last
	ailing *time.Timer      // runs while it tries to join again; nil if it has joined
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
		kgo.OnPartitionsAssigned(m.joined),
		kgo.OnOffsetsFetched(m.fetched),
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

// poll takes what was fetched to its claims, and waits for those that are full
// then, while all handlers are at work: more could not be done anyway. A claim
// that is full though they are not is stuck, and must not hold up the others.
func (m *member) poll(ctx context.Context) {
	for partition, h := range m.fetch(ctx) {
		for idle := 0; ; {
			short, cancel := context.WithTimeout(ctx, brief)
			err := h.room(short)
			cancel()
			if err == nil || ctx.Err() != nil || errors.Is(err, backend.ErrClosed) {
				break
			}
			if m.busy == nil || !m.busy() {
				idle++
			}
			if idle == 2 {
				m.pause(ctx, partition, h)
				break
			}
		}
	}
}

// fetch takes what was fetched to its claims, and returns those that are full.
func (m *member) fetch(ctx context.Context) (full map[int32]*held) {
	fetches := m.client.PollRecords(ctx, min(pollRecords, m.backend.config.MaxAhead))
	defer m.client.AllowRebalance()
	if ctx.Err() != nil {
		return nil
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
			if full == nil {
				full = map[int32]*held{}
			}
			full[p.Partition] = h
		}
	})
	return full
}

// pause has the partition fetched no further until its claim has room. What the
// client has fetched of it by then is fetched again, so this is for handlers that
// take their time.
func (m *member) pause(ctx context.Context, partition int32, h *held) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.paused || m.claims[partition] != h {
		return
	}
	h.paused = true
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

// release ends a claim. mu is held.
func (m *member) release(partition int32, h *held) {
	if h == nil || m.claims[partition] != h {
		return
	}
	delete(m.claims, partition)
	if h.paused { // not so when it is assigned again
		m.client.ResumeFetchPartitions(map[string][]int32{m.topic: {partition}})
	}
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
	case isSession && !lasting(session.Err):
		m.ail(session.Err)
	default:
		m.backend.topics.gone(m.topic, err)
		m.end(explain(err))
	}
}

// ail is told that the member's session ended. The client joins again by itself,
// as the same member; a new one would have to wait until the old one's session
// is over. After that there is nothing to wait for.
func (m *member) ail(err error) {
	m.backend.config.Logger.Warn("kafka: a member has left its group, and joins again", "group", m.id, "error", err)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ailing == nil {
		m.ailing = time.AfterFunc(m.backend.config.Session, func() {
			m.end(fmt.Errorf("out of its group for %v: %w", m.backend.config.Session, explain(err)))
		})
	}
}

// joined is called when the member has joined its group.
func (m *member) joined(context.Context, *kgo.Client, map[string][]int32) { m.recover() }

func (m *member) recover() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ailing != nil {
		m.ailing.Stop()
		m.ailing = nil
	}
}

// leave gives everything up, and waits for handlers however long they take:
// until then the member keeps its partitions.
func (m *member) leave() {
	m.recover()
	all := m.current()
	stop(context.Background(), all)
	m.tasks.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), leaving)
	defer cancel()
	m.commitLast(ctx, all)
	_ = m.client.LeaveGroupContext(ctx) // the session's timeout does it otherwise
	m.client.Close()
	// Close leaves once more, beside a last poll of its own that may block that
	// for ever.
	m.client.AllowRebalance()
	m.given.Wait()
}

// states adds how far the claims are.
func (m *member) states(to map[int32]state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, h := range m.claims {
		to[p] = h.state()
	}
}
