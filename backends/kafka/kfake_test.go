package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rawMember speaks the protocol of groups by hand: nothing of this package, and
// of the client no more than its connection.
type rawMember struct {
	t       *testing.T
	client  *kgo.Client
	id      string
	session time.Duration
	join    *kmsg.JoinGroupResponse
}

func newRawMember(t *testing.T, fake *kfake.Cluster, session time.Duration) *rawMember {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(fake.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return &rawMember{t: t, client: client, session: session}
}

// joins joins, or joins again; who leads the group then knows its members.
func (m *rawMember) joins(ctx context.Context) error {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType = "g", "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(m.session.Milliseconds()), 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "p"
	req.Protocols = append(req.Protocols, protocol)
	for {
		req.MemberID = m.id
		resp, err := req.RequestWith(ctx, m.client)
		if err != nil {
			return err
		}
		m.id, m.join = resp.MemberID, resp
		if err = kerr.ErrorForCode(resp.ErrorCode); err != kerr.MemberIDRequired {
			return err
		}
	}
}

func (m *rawMember) syncs(ctx context.Context) error {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = "g", m.id, m.join.Generation
	for _, other := range m.join.Members {
		assignment := kmsg.NewSyncGroupRequestGroupAssignment()
		assignment.MemberID = other.MemberID
		req.GroupAssignment = append(req.GroupAssignment, assignment)
	}
	resp, err := req.RequestWith(ctx, m.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (m *rawMember) beats() error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = "g", m.id, m.join.Generation
	resp, err := req.RequestWith(m.t.Context(), m.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// Two ways in which kfake, and no real cluster, leaves members of a group waiting
// when another is killed while the group forms. Tests that kill members wait for
// their groups to stand because of them (e2e/crash, Orders.Settle). When this test
// fails, kfake has learned better, and they need not wait any more.
func TestWhatKfakeGetsWrongWhenMembersDie(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("it is about kfake")
	}
	// find has it tried several times, with longer and longer sessions: on a busy
	// machine one may be over before what is to happen in it.
	find := func(t *testing.T, times int, session time.Duration, so func(session time.Duration) bool) {
		t.Helper()
		for n := range times {
			if so(session * time.Duration(1+n/2)) {
				return
			}
		}
		t.Error("it is not so, or the machine is too busy")
	}

	// Kafka watches the session of a member as soon as it is told that it has
	// joined. kfake does so only if the answer finds its connection, which it looks
	// for every other time: one that died before keeps its partitions for ever.
	t.Run("who dies while it joins stays", func(t *testing.T) {
		t.Parallel()
		find(t, 20, 250*time.Millisecond, func(session time.Duration) bool {
			fake := newFake(t, kfake.GroupMinSessionTimeout(session/10))
			leader, dead := newRawMember(t, fake, session), newRawMember(t, fake, session)
			if leader.joins(t.Context()) != nil || leader.syncs(t.Context()) != nil {
				return false // too late: the machine is busy
			}
			joining, die := context.WithCancel(t.Context())
			died := make(chan error, 1)
			go func() { died <- dead.joins(joining) }()
			var beat error
			eventually(t, "the group forms anew", func() bool { beat = leader.beats(); return beat != nil })
			die()
			if err := <-died; beat != kerr.RebalanceInProgress || err == nil {
				return false // too late
			}
			dead.client.Close()
			time.Sleep(session / 3) // for kfake to see that the connection is gone
			if leader.joins(t.Context()) != nil || leader.syncs(t.Context()) != nil {
				return false // too late
			}
			for end := time.Now().Add(4 * session); time.Now().Before(end); time.Sleep(session / 12) {
				if leader.beats() != nil {
					return false // it is expelled, as it should be
				}
			}
			return len(fake.GroupInfo("g").Members) == 2
		})
	})

	// Kafka takes waiting for the leader's SyncGroup for a sign of life
	// (hasSatisfiedHeartbeat). kfake expels who waits at the end of its session,
	// and never answers it.
	t.Run("who waits in SyncGroup is expelled without a word", func(t *testing.T) {
		t.Parallel()
		find(t, 8, time.Second, func(session time.Duration) bool {
			fake := newFake(t)
			leader, follower := newRawMember(t, fake, time.Minute), newRawMember(t, fake, session)
			require.NoError(t, leader.joins(t.Context()))
			require.NoError(t, leader.syncs(t.Context()))
			joined := make(chan error, 1)
			go func() { joined <- follower.joins(t.Context()) }()
			eventually(t, "the group forms anew", func() bool { return leader.beats() == kerr.RebalanceInProgress })
			require.NoError(t, leader.joins(t.Context())) // and dies, as far as the others know
			if <-joined != nil {
				return false // too late
			}
			waiting, cancel := context.WithTimeout(t.Context(), 3*session)
			defer cancel()
			if !errors.Is(follower.syncs(waiting), context.DeadlineExceeded) {
				return false // too late
			}
			info := fake.GroupInfo("g")
			require.Len(t, info.Members, 1)
			require.Equal(t, leader.id, info.Members[0].MemberID)
			return true
		})
	})
}
