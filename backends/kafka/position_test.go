package kafka_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// admin returns a client of the cluster that knows nothing of us.
func admin(t *testing.T, brokers []string) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// prefixOf is the prefix that the option sets.
func prefixOf(opt func(*kafka.Config)) string {
	var c kafka.Config
	opt(&c)
	return c.Prefix
}

// Of many who fix a new group at once, one decides: whoever returns first can
// publish, and the others do not move the position over that.
func TestManyFixAtOnce(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	var fixing sync.WaitGroup
	l := newLedger()
	publisher := open(t, brokers, common)
	l.publish(t, publisher, "t", 1, "before")
	for i := range 8 {
		b := open(t, brokers, common)
		fixing.Go(func() {
			for g := range 5 {
				if err := b.Fix(t.Context(), "t", "g"+strconv.Itoa(g), backend.FromNow()); err != nil {
					t.Error(err)
				}
				l.publish(t, b, "t", 1, "process-"+strconv.Itoa(i))
			}
		})
	}
	fixing.Wait()
	// Each published after its g0 was fixed.
	l.mu.Lock()
	delete(l.sent, "before")
	l.mu.Unlock()
	consume(t, publisher, backend.Consumption{Topic: "t", Group: "g0", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	l.complete(t)
	require.Zero(t, l.count()-8*5)
}

// Who comes second finds what the first has written, though that has not come
// to committing it.
func TestTheFirstWhoFixesDecides(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	l := newLedger()
	l.publish(t, b, "t", 1, keys(5)...)
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	for _, begin := range []string{"[0,0,0,0]", "[9,9,9,9]"} {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{
			Topic: prefixOf(common) + "notify.groups", Key: []byte(prefixOf(common) + "t/g"),
			Value: []byte(`{"fixed":false,"partitions":4,"begin":` + begin + `}`),
		}).FirstErr())
	}
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	lag, err := b.Lag(t.Context(), "t", "g")
	require.NoError(t, err)
	require.Equal(t, int64(5), lag)
}

func TestALostPositionIsAnError(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	l := newLedger()
	l.publish(t, b, "t", 2, keys(3)...)
	id := prefixOf(common) + "t/g"
	_, err := admin(t, brokers).DeleteGroup(t.Context(), id) // as the cluster does after offsets.retention.minutes
	require.NoError(t, err)

	for _, b := range []*kafka.Backend{b, open(t, brokers, common)} { // one that knew it, and one that did not
		for _, err := range []error{
			b.Fix(t.Context(), "t", "g", backend.FromNow()),
			b.Consume(t.Context(), backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)}),
		} {
			require.ErrorIs(t, err, kafka.ErrPositionLost)
			require.ErrorContains(t, err, "--reset-offsets --group "+id)
		}
	}
	require.Zero(t, l.count())

	// Both ways out that the error names.
	require.NoError(t, b.Forget(t.Context(), "t", "g"))
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromOldest()))
	leave := consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	l.complete(t)
	leave()
	_, err = admin(t, brokers).DeleteGroup(t.Context(), id)
	require.NoError(t, err)
	offsets := make(kadm.Offsets)
	for p := range int32(4) {
		offsets.Add(kadm.Offset{Topic: prefixOf(common) + "t", Partition: p, At: 0, LeaderEpoch: -1})
	}
	require.NoError(t, admin(t, brokers).CommitAllOffsets(t.Context(), id, offsets))
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
}

// A process reads which groups are known to the end, whatever others wrote there
// that could pass for its own.
func TestKnownGroupsAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	_, err := b.Publisher() // which makes the topic
	require.NoError(t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(prefixOf(common)+"notify.groups"))
	require.NoError(t, err)
	defer client.Close()
	more := make([]byte, 900_000) // so that not all is read at once
	for n := range 4 {
		_, _ = rand.Read(more)
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{
			Key: []byte("read-until"), Value: []byte("{}"),
			Headers: []kgo.RecordHeader{{Key: "token", Value: fmt.Appendf(nil, "%s/%d", b.Groups(), n)}},
		}, &kgo.Record{Key: []byte("other/group"), Value: more}).FirstErr())
	}
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{
		Key: []byte(prefixOf(common) + "t/g"), Value: []byte(`{"fixed":true,"partitions":4}`),
	}).FirstErr())
	require.ErrorIs(t, b.Fix(t.Context(), "t", "g", backend.FromNow()), kafka.ErrPositionLost)
}

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

// A group that fell behind what the topic keeps is told so, at its start and
// while it runs. So much of the topic as was read ahead by then is not missed.
func TestFallingBehindRetention(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("records of a real cluster are not deleted")
	}
	fake := newFake(t)
	common := config(func(c *kafka.Config) { c.Partitions, c.MaxAhead = 1, 50 })
	topic := prefixOf(common) + "t"
	b := open(t, fake.ListenAddrs(), common)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	pub, err := b.Publisher()
	require.NoError(t, err)
	all := wires(0, 400)
	for i, m := range all {
		m.Payload = make([]byte, 20_000)
		_, _ = rand.Read(m.Payload) // which compresses to nothing less
		require.NoError(t, pub.Publish("t", all[i]))
	}
	require.NoError(t, fake.DeleteRecords(topic, 0, 30))

	type span struct{ from, to int64 }
	var mu sync.Mutex
	var skips []span
	gate := make(chan struct{})
	var seen []int64
	consume(t, b, backend.Consumption{
		Topic: "t", Group: "g",
		Handle: func(_ context.Context, b *backend.Batch) (done int, _ error) {
			for b.Next() {
				place, ok := kafka.PlaceOf(b.Message().Context())
				if !ok || place.Topic != topic {
					return done, errors.New("no place")
				}
				mu.Lock()
				seen = append(seen, place.Offset)
				mu.Unlock()
				<-gate
				done++
			}
			return done, nil
		},
		Skipped: func(from, to int64) {
			mu.Lock()
			defer mu.Unlock()
			skips = append(skips, span{from, to})
		},
	}, func(err error) { t.Error(err) })
	eventually(t, "a handler is at work", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == 1
	})
	time.Sleep(300 * time.Millisecond) // for as much to be read ahead as may be
	require.NoError(t, fake.DeleteRecords(topic, 0, 390))
	close(gate)
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, skips, 2)
	require.Equal(t, span{0, 30}, skips[0])
	ahead := skips[1].from - 30
	require.Equal(t, int64(390), skips[1].to)
	require.GreaterOrEqual(t, ahead, int64(50))
	require.LessOrEqual(t, ahead, int64(100+60), "twice MaxAhead, and what the client has of a megabyte")
	require.Len(t, seen, int(ahead)+10)
	require.Equal(t, int64(30), seen[0])
	require.Equal(t, int64(399), seen[len(seen)-1])
}

// A topic that was made anew does not have what the group had finished.
func TestATopicMadeAnew(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("its offsets survive on a real cluster for a while only")
	}
	fake := newFake(t)
	common := config(func(c *kafka.Config) { c.Partitions = 1 })
	topic := prefixOf(common) + "t"
	b := open(t, fake.ListenAddrs(), common)
	l := newLedger()
	l.publish(t, b, "t", 3, "k")
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	require.NoError(t, fake.DeleteTopic(topic))
	other := open(t, fake.ListenAddrs(), common)
	l.publish(t, other, "t", 1, "k")
	require.ErrorIs(t, other.Fix(t.Context(), "t", "g", backend.FromNow()), kafka.ErrPositionLost)

	// And if its offsets are still there, they are beyond its end.
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 3, LeaderEpoch: -1})
	require.NoError(t, admin(t, fake.ListenAddrs()).CommitAllOffsets(t.Context(), prefixOf(common)+"t/g", offsets))
	err := other.Consume(t.Context(), backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)})
	require.ErrorContains(t, err, "is at offset 3 of partition 0")
	require.ErrorContains(t, err, "--reset-offsets")
}

// Members in this process do not keep a group from being forgotten; those of
// other processes do.
func TestForgetWithMembers(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b, other := open(t, brokers, common), open(t, brokers, common)
	l := newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: l.handle("m", nil)}, func(err error) { t.Error(err) })
	l.publish(t, b, "t", 1, keys(5)...)
	l.complete(t)
	err := other.Forget(t.Context(), "t", "g")
	require.ErrorContains(t, err, "it has members in other processes")
	require.NoError(t, b.Forget(t.Context(), "t", "g"))
	_, err = b.Lag(t.Context(), "t", "g")
	require.ErrorIs(t, err, backend.ErrNotFound)
	require.ErrorIs(t, b.CatchUp(t.Context(), "t", "g"), backend.ErrNotFound)
}

// While the old group has members, a renamed one begins where that is.
func TestRenameWithMembers(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b, other := open(t, brokers, common), open(t, brokers, common)
	old, renamed := newLedger(), newLedger()
	require.NoError(t, b.Fix(t.Context(), "t", "old", backend.FromNow()))
	consume(t, b, backend.Consumption{Topic: "t", Group: "old", Handle: old.handle("m", nil)}, func(err error) { t.Error(err) })
	old.publish(t, b, "t", 1, keys(5)...)
	old.complete(t)
	require.NoError(t, b.CatchUp(t.Context(), "t", "old"))
	eventually(t, "its position is written", func() bool {
		lag, err := other.Lag(t.Context(), "t", "old")
		return err == nil && lag == 0
	})
	require.NoError(t, other.Rename(t.Context(), "t", "old", "new"))
	renamed.publish(t, other, "t", 1, keys(5)...)
	for key := range renamed.sent {
		old.mu.Lock()
		old.sent[key]++
		old.mu.Unlock()
	}
	consume(t, other, backend.Consumption{Topic: "t", Group: "new", Handle: renamed.handle("m", nil)}, func(err error) { t.Error(err) })
	renamed.complete(t)
}

// When the topic loses the first of what waits while its member begins, the rest
// of that is not lost.
func TestFallingBehindWithMessagesThatWait(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("records of a real cluster are not deleted")
	}
	fake := newFake(t)
	common := config(func(c *kafka.Config) { c.Partitions = 1 })
	b := open(t, fake.ListenAddrs(), common)
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", wires(0, 60)...))

	var mu sync.Mutex
	healed, handled := false, map[string]bool{}
	var skipped [][2]int64
	c := backend.Consumption{
		Topic: "t", Group: "g", Backoff: func(int, error) time.Duration { return 10 * time.Millisecond },
		Handle: func(_ context.Context, batch *backend.Batch) (done int, _ error) {
			for batch.Next() {
				n := string(batch.Message().Payload)
				mu.Lock()
				fails := !healed && (n == "0" || n == "30")
				handled[n] = !fails
				mu.Unlock()
				if fails {
					return done, errors.New("not yet")
				}
				done++
			}
			return done, nil
		},
		Skipped: func(from, to int64) {
			mu.Lock()
			defer mu.Unlock()
			skipped = append(skipped, [2]int64{from, to})
		},
	}
	leave := consume(t, b, c, func(err error) { t.Error(err) })
	eventually(t, "two wait", func() bool {
		lag, err := b.Lag(t.Context(), "t", "g")
		return err == nil && lag == 2
	})
	leave()
	healed = true

	topic, begun := prefixOf(common)+"t", false
	fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if !begun && fake.GroupInfo(topic+"/g").State == "Stable" {
			begun = true
			fake.SleepControl(func() { require.NoError(t, fake.DeleteRecords(topic, 0, 10)) })
		}
		return nil, nil, false
	})
	consume(t, b, c, func(err error) { t.Error(err) })
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
	mu.Lock()
	defer mu.Unlock()
	require.True(t, handled["30"])
	require.Equal(t, [][2]int64{{0, 10}}, skipped)
}
