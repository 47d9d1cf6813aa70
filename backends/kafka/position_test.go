package kafka_test

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
