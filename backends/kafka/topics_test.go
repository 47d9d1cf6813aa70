package kafka_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// settings are the topic's, by name.
func settings(t *testing.T, cl *kadm.Client, topic string) map[string]string {
	t.Helper()
	all, err := cl.DescribeTopicConfigs(t.Context(), topic)
	require.NoError(t, err)
	of, err := all.On(topic, nil)
	require.NoError(t, err)
	m := map[string]string{}
	for _, s := range of.Configs {
		m[s.Key] = s.MaybeValue()
	}
	return m
}

func TestTopicsAreMadeAsConfigured(t *testing.T) {
	t.Parallel()
	brokers := cluster(t)
	common := config(func(c *kafka.Config) { c.Partitions, c.Retention, c.MaxBytes = 5, time.Hour, 50_000 })
	b := open(t, brokers, common)
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", wire("k", 0)))
	var c kafka.Config
	common(&c)
	cl := admin(t, brokers)
	all, err := cl.ListTopics(t.Context(), c.Prefix+"t", c.Prefix+"notify.groups", c.Prefix+"notify.delays")
	require.NoError(t, err)
	for topic, partitions := range map[string]int{"t": 5, "notify.groups": 1, "notify.delays": 6} {
		require.Len(t, all[c.Prefix+topic].Partitions, partitions)
	}
	if c.Replication == 0 {
		require.Equal(t, 3, all[c.Prefix+"t"].Partitions.NumReplicas())
		require.Equal(t, "2", settings(t, cl, c.Prefix+"t")["min.insync.replicas"])
	}
	of := settings(t, cl, c.Prefix+"t")
	require.Equal(t, "3600000", of["retention.ms"])
	require.Equal(t, "delete", of["cleanup.policy"])
	require.Equal(t, "51024", of["max.message.bytes"])
	require.Equal(t, "compact", settings(t, cl, c.Prefix+"notify.groups")["cleanup.policy"])
}

func TestATopicWithOtherSettings(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("it is about a cluster of three brokers")
	}
	fake := newFake(t)
	plain := config(func(c *kafka.Config) { c.Partitions = 0 })
	prefix := prefixOf(plain)
	make := func(topic string, partitions int32, settings map[string]string) {
		t.Helper()
		all := map[string]string{"min.insync.replicas": "2", "max.message.bytes": "2000000"}
		for key, value := range settings {
			all[key] = value
		}
		require.NoError(t, fake.CreateTopic(prefix+topic, partitions, all))
	}
	for _, test := range []struct {
		topic    string
		settings map[string]string
		config   func(c *kafka.Config)
		says     []string // nothing: it is accepted
	}{
		{topic: "fine"},
		{topic: "longer", settings: map[string]string{"retention.ms": "-1"}},
		{topic: "as-many", config: func(c *kafka.Config) { c.Partitions = 3 }},
		{
			topic: "fewer", config: func(c *kafka.Config) { c.Partitions = 8 },
			says: []string{"the number of partitions is 3, and 8 was configured", "kafka-topics.sh --alter", "set Config.Partitions to 3"},
		},
		{
			topic: "more", config: func(c *kafka.Config) { c.Partitions = 2 },
			says: []string{"the number of partitions is 3", "set Config.Partitions to 3"},
		},
		{
			topic: "replicas", config: func(c *kafka.Config) { c.Replication, c.MinInSync = 5, 2 },
			says: []string{"the number of replicas is 3, and 5 was configured", "set Config.Replication to 3"},
		},
		{
			topic: "shorter", settings: map[string]string{"retention.ms": "1000"},
			says: []string{"retention.ms is 1000, and 604800000 was configured", "--add-config retention.ms=604800000", "lower Config.Retention"},
		},
		{
			topic: "compacted", settings: map[string]string{"cleanup.policy": "compact"},
			says: []string{"cleanup.policy is compact", "--add-config cleanup.policy=delete"},
		},
		{
			topic: "two", settings: map[string]string{"min.insync.replicas": "1", "max.message.bytes": "1000"},
			says: []string{"min.insync.replicas is 1, and 2", "set Config.MinInSync to 1", "max.message.bytes is 1000, and 1001024", "Config.MaxBytes"},
		},
	} {
		make(test.topic, 3, test.settings)
		// The backend's own topics are made with what is said for all.
		first := open(t, fake.ListenAddrs(), plain)
		_, err := first.Publisher()
		require.NoError(t, err)
		b := open(t, fake.ListenAddrs(), func(c *kafka.Config) {
			plain(c)
			if test.config != nil {
				test.config(c)
			}
		})
		err = b.Fix(t.Context(), test.topic, "g", backend.FromNow())
		if test.says == nil {
			require.NoError(t, err, test.topic)
			continue
		}
		require.Error(t, err, test.topic)
		require.ErrorContains(t, err, "topic "+prefix)
		for _, says := range test.says {
			require.ErrorContains(t, err, says)
		}
	}
}

// What no setting of ours is about, but loses messages, is logged.
func TestATopicThatMayLoseMessages(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("it is about topics of settings that a cluster may forbid")
	}
	fake := newFake(t)
	var logged bytes.Buffer
	common := config(func(c *kafka.Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	b := open(t, fake.ListenAddrs(), common)
	require.NoError(t, fake.CreateTopic(prefixOf(common)+"t", 4, map[string]string{
		"unclean.leader.election.enable": "true", "retention.bytes": "1000", "min.insync.replicas": "2", "max.message.bytes": "1048588",
	}))
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	require.NoError(t, b.Close())
	require.Contains(t, logged.String(), "unclean.leader.election.enable=true")
	require.Contains(t, logged.String(), "retention.bytes=1000")
	require.Equal(t, 2, strings.Count(logged.String(), "may lose messages"))
}

func TestAClusterOfOneBroker(t *testing.T) {
	t.Parallel()
	brokers := newFake(t, kfake.NumBrokers(1)).ListenAddrs()
	_, err := open(t, brokers, config()).Publisher()
	require.ErrorContains(t, err, "3 replicas")
	require.ErrorContains(t, err, "lower it (1 for a single broker")
	roundTrip(t, open(t, brokers, config(func(c *kafka.Config) { c.Replication = 1 })))
}

func TestMistakesInTheConfiguration(t *testing.T) {
	t.Parallel()
	b := open(t, []string{"nowhere", "host:", "kafka://notify:" + secret + "@host:9092"}, func(c *kafka.Config) {
		c.Prefix = "a/b"
		c.Replication, c.MinInSync = 2, 3
		c.Partitions = -1
		c.PublishTimeout = time.Millisecond
		c.Drain, c.MaxBytes = 1<<62, 100<<20
		c.Heartbeat, c.Session = time.Minute, time.Second
		c.SASL.Password = secret
	})
	_, err := b.Publisher()
	for _, says := range []string{
		`the broker "nowhere" is not host:port`, `"host:"`, "broker 3 of 3 is not host:port", "Config.Prefix", "Config.MinInSync is 3", "Config.Partitions is -1",
		"Config.PublishTimeout", "Config.Drain", "Config.MaxBytes", "Config.Heartbeat", "Config.SASL.Mechanism",
	} {
		require.ErrorContains(t, err, says)
	}
	require.NotContains(t, err.Error(), secret)

	_, err = open(t, nil, config()).Publisher()
	require.ErrorContains(t, err, "no broker is named")
	for mechanism, says := range map[string]string{"PLAIN": "needs both", "OAUTHBEARER": "Config.SASL.Token", "GSSAPI": "use one of"} {
		_, err = open(t, []string{"localhost:9092"}, config(func(c *kafka.Config) { c.SASL.Mechanism = mechanism })).Publisher()
		require.ErrorContains(t, err, says)
	}
}

func TestNamesThatKafkaDoesNotAllow(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config())
	pub, err := b.Publisher()
	require.NoError(t, err)
	for _, topic := range []string{"a topic", "größe", "a/b", "", ".", "..", strings.Repeat("x", 300)} {
		require.Error(t, pub.Publish(topic, wire("k", 0)), topic)
	}
	require.NoError(t, pub.Publish("a.b", wire("k", 0)))
	require.ErrorContains(t, pub.Publish("a_b", wire("k", 0)), "by '.' and '_' only")
	require.NoError(t, b.Fix(t.Context(), "a.b", "any name: größe/1", backend.FromNow()), "groups may have any")
}

func TestAMessageThatIsTooLarge(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config(func(c *kafka.Config) { c.MaxBytes = 10_000 }))
	pub, err := b.Publisher()
	require.NoError(t, err)
	m := wire("k", 0)
	m.Payload = make([]byte, 9_800)
	require.NoError(t, pub.Publish("t", m))
	m.Payload = make([]byte, 10_000)
	require.ErrorContains(t, pub.Publish("t", m), "Config.MaxBytes is 10000")
}
