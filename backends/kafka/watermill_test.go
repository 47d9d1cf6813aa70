package kafka_test

import (
	"context"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backends/kafka"
)

// TestWatermillPubSub runs Watermill's universal tests. Each constructor's call
// has a backend of its own, as if it were another process.
func TestWatermillPubSub(t *testing.T) {
	t.Parallel()
	features := tests.Features{
		ConsumerGroups:                   true,
		GuaranteedOrder:                  true, // its messages have no key, and share a partition
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: true,
	}
	brokers := real()
	if brokers == nil {
		broker := startRestartable(t)
		brokers = broker.addrs
		// TestReconnect reads a slice that another of its goroutines appends
		// to, and so cannot run with the race detector. TestRestart can.
		if !raced {
			features.RestartServiceCommand = broker.command(t)
		}
	}
	common := config()
	plain, ofGroup := suite(brokers, common)
	tests.TestPubSub(t, features, plain, ofGroup)
}

func suite(brokers []string, common func(*kafka.Config)) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	ofGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		b := open(t, brokers, common)
		pub, err := b.Publisher()
		require.NoError(t, err)
		sub, err := b.Subscriber(group)
		require.NoError(t, err)
		if strings.Contains(t.Name(), "TestReconnect") {
			return lateLast(pub, sub)
		}
		return pub, sub
	}
	var fresh atomic.Int64
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		group := "common"
		if strings.Contains(t.Name(), "NewSubscriberReceivesOldMessages") {
			group = "fresh-" + strconv.FormatInt(fresh.Add(1), 10)
		}
		return ofGroup(t, group)
	}, ofGroup
}

// restartable is a cluster that keeps its ports and its data over a restart.
type restartable struct {
	addrs []string
	opts  []kfake.Opt

	mu   sync.Mutex
	fake *kfake.Cluster
}

func startRestartable(t *testing.T) *restartable {
	t.Helper()
	dir, err := os.MkdirTemp(os.TempDir(), "kfake")
	require.NoError(t, err)
	r := &restartable{}
	var ports []int
	for range 3 {
		ln, err := fixed()
		require.NoError(t, err)
		require.NoError(t, ln.Close())
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	r.opts = []kfake.Opt{kfake.GroupMinSessionTimeout(time.Second), kfake.DataDir(dir), kfake.Ports(ports...)}
	r.fake, err = kfake.NewCluster(r.opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.fake.Close()
		require.NoError(t, os.RemoveAll(dir))
	})
	r.addrs = r.fake.ListenAddrs()
	return r
}

func (r *restartable) restart() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fake.Close()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var fake *kfake.Cluster
		if fake, err = kfake.NewCluster(r.opts...); err == nil {
			r.fake = fake
			return nil
		}
	}
	return err
}

// command returns a command that restarts the cluster: this program again, which
// asks this process for it.
func (r *restartable) command(t *testing.T) []string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var served sync.WaitGroup
	t.Cleanup(func() {
		require.NoError(t, ln.Close())
		served.Wait()
	})
	served.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if err := r.restart(); err != nil {
				_, _ = io.WriteString(conn, err.Error())
			}
			_ = conn.Close()
		}
	})
	self, err := os.Executable()
	require.NoError(t, err)
	return []string{self, "restart", ln.Addr().String()}
}

// askForRestart is what the command runs.
func askForRestart(addr string) int {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 1
	}
	defer func() { _ = conn.Close() }()
	if problem, err := io.ReadAll(conn); err != nil || len(problem) > 0 {
		_, _ = os.Stderr.Write(problem)
		return 1
	}
	return 0
}

// lateLast holds back the last of TestReconnect's 10,000 messages until all are
// published, and a little longer: as soon as it comes, the test compares with what
// it noted, each after publishing it.
func lateLast(pub message.Publisher, sub message.Subscriber) (message.Publisher, message.Subscriber) {
	all := make(chan struct{})
	return &counting{Publisher: pub, all: all}, &holding{Subscriber: sub, all: all}
}

const reconnects = 10_000

type counting struct {
	message.Publisher
	n   atomic.Int64
	all chan struct{} // closed when all are published
}

func (c *counting) Publish(topic string, messages ...*message.Message) error {
	err := c.Publisher.Publish(topic, messages...)
	if err == nil && c.n.Add(1) == reconnects { // it has one a call
		close(c.all)
	}
	return err
}

type holding struct {
	message.Subscriber
	all        <-chan struct{}
	forwarding sync.WaitGroup
}

func (h *holding) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := h.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	h.forwarding.Go(func() {
		defer close(out)
		seen := map[string]bool{}
		for m := range in {
			if seen[m.UUID] = true; len(seen) == reconnects {
				<-h.all
				time.Sleep(time.Second) // for the test to note it
			}
			out <- m
		}
	})
	return out, nil
}

func (h *holding) Close() error {
	err := h.Subscriber.Close()
	h.forwarding.Wait()
	return err
}
