package kafka_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// Partitions that a topic gets later begin at their oldest message, for a group
// that began with what came after it was fixed, and for one whose members run.
func TestATopicGrows(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config(func(c *kafka.Config) { c.Partitions = 2 })
	b := open(t, brokers, common)
	running, resting := newLedger(), newLedger()
	for _, g := range []string{"running", "resting"} {
		require.NoError(t, b.Fix(t.Context(), "t", g, backend.FromNow()))
	}
	leave := consume(t, b, backend.Consumption{Topic: "t", Group: "running", Handle: running.handle("m", nil)}, func(err error) { t.Error(err) })
	running.publish(t, b, "t", 1, keys(10)...)
	running.complete(t)

	topic, cluster := prefixOf(common)+"t", admin(t, brokers)
	_, err := cluster.UpdatePartitions(t.Context(), 6, topic)
	require.NoError(t, err)
	// Others know the new partitions before our members do.
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	for _, key := range keys(30)[10:] {
		m := wire(key, 0)
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{
			Topic: topic, Key: []byte(key), Value: m.Payload, Headers: []kgo.RecordHeader{{Key: backend.KeyMetadata, Value: []byte(key)}},
		}).FirstErr())
		running.sent[key] = 1
	}
	for key, n := range running.sent {
		resting.sent[key] = n
	}
	changed := open(t, brokers, func(c *kafka.Config) { common(c); c.Partitions = 0 })
	require.NoError(t, changed.Fix(t.Context(), "t", "resting", backend.FromNow()))
	consume(t, changed, backend.Consumption{Topic: "t", Group: "resting", Handle: resting.handle("m", nil)}, func(err error) { t.Error(err) })
	resting.complete(t)

	// A running member learns it with its next metadata, after a minute; one that
	// joins knows already, does not wait for that, and begins with them when it is
	// the one to say who gets what.
	consume(t, changed, backend.Consumption{Topic: "t", Group: "running", Handle: running.handle("m2", nil)}, func(err error) { t.Error(err) })
	eventually(t, "two are members", func() bool {
		groups, err := cluster.DescribeGroups(t.Context(), topic+"/running")
		return err == nil && len(groups[topic+"/running"].Members) == 2
	})
	leave()
	running.complete(t)
}

// A member that has got some of the new partitions does not speak for those that
// another has: if that one leaves before it begins with them, they are still new.
func TestNewPartitionsOfAMemberThatLeaves(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config(func(c *kafka.Config) { c.Partitions = 2 })
	b := open(t, brokers, common)
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	topic := prefixOf(common) + "t"
	cluster := admin(t, brokers)
	_, err := cluster.UpdatePartitions(t.Context(), 6, topic)
	require.NoError(t, err)

	id := topic + "/g"
	other, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumerGroup(id), kgo.ConsumeTopics(topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(50*time.Millisecond))
	require.NoError(t, err)
	defer other.Close()
	eventually(t, "another process has all", func() bool {
		described, err := cluster.DescribeGroups(t.Context(), id)
		return err == nil && described[id].State == "Stable"
	})
	grown := open(t, brokers, func(c *kafka.Config) { common(c); c.Partitions = 0 })
	consume(t, grown, backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	eventually(t, "ours has half of them, and begins with them", func() bool {
		all, err := cluster.FetchOffsets(t.Context(), id)
		return err == nil && len(all[topic]) > 2
	})
	l.publish(t, grown, "t", 2, keys(30)...)
	other.Close()
	l.complete(t)
	require.NoError(t, grown.CatchUp(t.Context(), "t", "g"))
}

// The new partitions of a topic are new for a group that is renamed, too.
func TestRenameAfterATopicHasGrown(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config(func(c *kafka.Config) { c.Partitions = 2 })
	l := newLedger()
	b := open(t, brokers, common)
	require.NoError(t, b.Fix(t.Context(), "t", "old", backend.FromNow()))
	_, err := admin(t, brokers).UpdatePartitions(t.Context(), 6, prefixOf(common)+"t")
	require.NoError(t, err)
	grown := open(t, brokers, func(c *kafka.Config) { common(c); c.Partitions = 0 })
	l.publish(t, grown, "t", 2, keys(30)...)
	require.NoError(t, grown.Rename(t.Context(), "t", "old", "new"))
	require.NoError(t, grown.Fix(t.Context(), "t", "new", backend.FromNow()))
	consume(t, grown, backend.Consumption{Topic: "t", Group: "new", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	l.complete(t)
}
