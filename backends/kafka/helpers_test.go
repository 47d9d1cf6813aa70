package kafka_test

import (
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// real are the brokers of a real cluster to test on, if there is one.
func real() []string {
	if hosts := os.Getenv("NOTIFY_TEST_KAFKA"); hosts != "" {
		return strings.Split(hosts, ",")
	}
	return nil
}

// newFake starts a cluster in this process, of three brokers.
func newFake(tb testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.GroupMinSessionTimeout(time.Second)}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(fake.Close)
	return fake
}

// cluster returns the brokers to test on.
func cluster(tb testing.TB) []string {
	tb.Helper()
	if brokers := real(); brokers != nil {
		return brokers
	}
	return newFake(tb).ListenAddrs()
}

// fixedPorts counts those of fixed.
var fixedPorts atomic.Int64

// fixed listens at a port that neither the system gives to anybody by itself nor
// this to anybody else, so that it is free when it is listened at again: whoever
// took it meanwhile would answer the clients of another cluster.
func fixed() (ln net.Listener, err error) {
	for range 100 {
		port := 10_000 + (os.Getpid()*100+int(fixedPorts.Add(1)))%20_000
		if ln, err = net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			return ln, nil
		}
	}
	return nil, err
}

// config is that of tests, on a cluster that may be used for others too.
func config(opts ...func(*kafka.Config)) func(*kafka.Config) {
	prefix := "test-" + uuid.NewString() + "."
	return func(c *kafka.Config) {
		c.Prefix = prefix
		c.Partitions = 4
		c.Session, c.Heartbeat = 6*time.Second, 50*time.Millisecond
		c.CommitInterval = 20 * time.Millisecond
		c.StartTimeout = time.Minute
		c.Logger = slog.New(slog.DiscardHandler)
		if os.Getenv("NOTIFY_TEST_LOG") != "" {
			c.Logger = slog.Default()
		}
		if real() != nil {
			c.Replication, _ = strconv.Atoi(os.Getenv("NOTIFY_TEST_KAFKA_REPLICATION"))
			if c.Replication == 0 {
				c.Replication = 1
			}
		}
		for _, opt := range opts {
			opt(c)
		}
	}
}

// open returns a backend that is closed after the test.
func open(tb testing.TB, brokers []string, opt func(*kafka.Config)) *kafka.Backend {
	tb.Helper()
	b := kafka.New(brokers, opt)
	tb.Cleanup(func() { require.NoError(tb, b.Close()) })
	return b
}

// wire is the n-th message of a key.
func wire(key string, n int) *message.Message {
	m := message.NewMessage(key+"/"+strconv.Itoa(n), []byte(strconv.Itoa(n)))
	if key != "" {
		m.Metadata.Set(backend.KeyMetadata, key)
	}
	return m
}

// wires are the messages from <= n < to, each of a key of its own.
func wires(from, to int) []*message.Message {
	var all []*message.Message
	for n := from; n < to; n++ {
		all = append(all, wire("k"+strconv.Itoa(n), n))
	}
	return all
}
