package kafka_test

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// arrivals are when a group got the messages of a topic.
type arrivals struct {
	mu sync.Mutex
	at map[string][]time.Time // by payload
}

func (a *arrivals) handle(_ context.Context, b *backend.Batch) (done int, _ error) {
	for b.Next() {
		a.mu.Lock()
		payload := string(b.Message().Payload)
		a.at[payload] = append(a.at[payload], time.Now())
		a.mu.Unlock()
		done++
	}
	return done, nil
}

func (a *arrivals) of(payload string) []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[payload]
}

// What waits in each tier is in its partition, under its key, and says where it
// goes and when.
func TestTiers(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	now := time.Now()
	waits := []time.Duration{5 * time.Second, 15 * time.Second, 2 * time.Minute, 59 * time.Minute, 5 * time.Hour, 100 * time.Hour}
	for i, wait := range waits {
		require.NoError(t, b.PublishAt(t.Context(), now.Add(wait), "t", wire("k", i)))
	}
	topic := prefixOf(common) + "notify.delays"
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic))
	require.NoError(t, err)
	defer client.Close()
	found := map[int32]*kgo.Record{}
	for len(found) < len(waits) {
		for r := range client.PollFetches(t.Context()).RecordsAll() {
			found[r.Partition] = r
		}
	}
	for i, wait := range waits {
		r := found[int32(i)]
		require.Equal(t, strconv.Itoa(i), string(r.Value))
		require.Equal(t, "k", string(r.Key))
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		require.Equal(t, "t", headers["notify_delay_topic"])
		require.Equal(t, strconv.FormatInt(now.Add(wait).UnixNano(), 10), headers["notify_delay_until"])
	}
}

// A message that has been in a tier for as long as that lasts goes on to the
// next, with its time unchanged. The tier's clock is the record's timestamp, so
// old ones do instead of waiting.
func TestFromTierToTier(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	a := &arrivals{at: map[string][]time.Time{}}
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow())) // and makes the topic
	_, err := b.Publisher()
	require.NoError(t, err)
	until := time.Now().Add(1500 * time.Millisecond)
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	put := func(tier int32, age time.Duration, payload string, until time.Time) {
		t.Helper()
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{
			Topic: prefixOf(common) + "notify.delays", Partition: tier, Key: []byte("k"), Value: []byte(payload), Timestamp: time.Now().Add(-age),
			Headers: []kgo.RecordHeader{
				{Key: "notify_delay_topic", Value: []byte("t")},
				{Key: "notify_delay_until", Value: strconv.AppendInt(nil, until.UnixNano(), 10)},
				{Key: "ce_id", Value: []byte("id of " + payload)},
			},
		}).FirstErr())
	}
	put(5, 6*time.Hour, "from six hours", until)
	put(1, 10*time.Second, "from ten seconds", until)
	put(5, time.Hour, "still waiting", time.Now().Add(7*time.Hour))
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: prefixOf(common) + "notify.delays", Partition: 0, Value: []byte("junk")}).FirstErr())

	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: a.handle}, func(err error) { t.Error(err) })
	for _, payload := range []string{"from six hours", "from ten seconds"} {
		eventually(t, payload, func() bool { return len(a.of(payload)) > 0 })
		require.False(t, a.of(payload)[0].Before(until), "not before its time")
		require.Len(t, a.of(payload), 1)
	}
	require.Empty(t, a.of("still waiting"))
	require.Empty(t, a.of("junk"))
}

// Delayed messages outlive the process that published them, and the processes
// that had begun to bring them on.
func TestDelaysOutliveProcesses(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	const n = 300
	at := time.Now().Add(2 * time.Second)
	first := open(t, brokers, common)
	require.NoError(t, first.Fix(t.Context(), "t", "g", backend.FromNow()))
	for i := range n {
		require.NoError(t, first.PublishAt(t.Context(), at, "t", wire("k"+strconv.Itoa(i%10), i)))
	}
	a := &arrivals{at: map[string][]time.Time{}}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.NoError(t, first.Consume(ctx, backend.Consumption{Topic: "t", Group: "g", Handle: a.handle}))
	require.NoError(t, first.Close())

	second := open(t, brokers, common)
	consume(t, second, backend.Consumption{Topic: "t", Group: "g", Handle: a.handle}, func(err error) { t.Error(err) })
	for i := range n {
		payload := strconv.Itoa(i)
		eventually(t, payload, func() bool { return len(a.of(payload)) > 0 })
		require.False(t, a.of(payload)[0].Before(at), "not before its time")
	}
}

// Many that are due at once are brought on in few writes, and beyond MaxDelayed
// they come all the same.
func TestManyDelays(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config(func(c *kafka.Config) { c.MaxDelayed = 100 }))
	const n = 2000
	a := &arrivals{at: map[string][]time.Time{}}
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	at := time.Now().Add(time.Second)
	for i := 0; i < n; i += 100 {
		require.NoError(t, b.PublishAt(t.Context(), at, "t", wires(i, i+100)...))
	}
	consume(t, b, backend.Consumption{Topic: "t", Group: "g", Handle: a.handle}, func(err error) { t.Error(err) })
	for i := range n {
		eventually(t, "all come", func() bool { return len(a.of(strconv.Itoa(i))) > 0 })
	}
}

// A topic that takes nothing holds up no delayed message of another, and has
// none repeated.
func TestATopicThatIsRefusedHoldsUpNoDelay(t *testing.T) {
	t.Parallel()
	if real() != nil {
		t.Skip("needs a cluster that refuses")
	}
	fake := newFake(t)
	common := config()
	prefix := prefixOf(common)
	before, b := open(t, fake.ListenAddrs(), common), open(t, fake.ListenAddrs(), common)
	require.NoError(t, b.Fix(t.Context(), "good", "g", backend.FromNow()))
	refusal := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: prefix + "full", Err: kerr.MessageTooLarge, Count: -1})
	for _, topic := range []string{"full", "weak"} { // so that the topics are there
		require.NoError(t, before.Fix(t.Context(), topic, "g", backend.FromNow()))
	}
	at := time.Now().Add(time.Second)
	for i, topic := range []string{"good", "full", "weak", "good"} {
		require.NoError(t, before.PublishAt(t.Context(), at, topic, wire("k"+strconv.Itoa(i), i)))
	}
	require.NoError(t, before.Close())
	alter := func(value string) {
		t.Helper()
		_, err := admin(t, fake.ListenAddrs()).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, prefix+"weak")
		require.NoError(t, err)
	}
	alter("1000") // less than what is configured

	a := &arrivals{at: map[string][]time.Time{}}
	consume(t, b, backend.Consumption{Topic: "good", Group: "g", Handle: a.handle}, func(err error) { t.Error(err) })
	eventually(t, "those of the other topic", func() bool { return len(a.of("0")) > 0 && len(a.of("3")) > 0 })
	eventually(t, "it is tried several times", func() bool { return refusal.Hits() > 2 })
	refusal.Remove()
	alter("-1")
	for i, topic := range map[string]string{"1": "full", "2": "weak"} {
		require.Equal(t, i, string(receive(t, b, topic, 1)[0].Payload))
	}
	require.Len(t, a.of("0"), 1)
	require.Len(t, a.of("3"), 1)
}

// What was brought on does not come again when another process takes over, though
// something before it still waits.
func TestDelaysAreNotRepeated(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	a := &arrivals{at: map[string][]time.Time{}}
	c := backend.Consumption{Topic: "t", Group: "g", Handle: a.handle}
	at := time.Now().Add(4 * time.Second)
	for process := range 3 {
		b := open(t, brokers, common)
		require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
		if process == 0 {
			require.NoError(t, b.PublishAt(t.Context(), at, "t", wire("k", 0)))
			require.NoError(t, b.PublishAt(t.Context(), time.Now().Add(10*time.Millisecond), "t", wires(1, 51)...))
		}
		leave := consume(t, b, c, func(err error) { t.Error(err) })
		eventually(t, "all but the first", func() bool { return len(a.of("50")) > 0 })
		if process == 2 {
			eventually(t, "the first", func() bool { return len(a.of("0")) > 0 })
		}
		leave()
		require.NoError(t, b.Close())
	}
	for i := range 51 {
		require.Len(t, a.of(strconv.Itoa(i)), 1, i)
	}
}

// A message that cannot be brought on for long holds nothing of those that were.
func TestARefusedDelayHoldsItselfOnly(t *testing.T) { // and no other test runs beside it
	if real() != nil {
		t.Skip("needs a cluster that refuses")
	}
	const batches, size = 40, 10_000
	fake, common := newFake(t), config()
	b := open(t, fake.ListenAddrs(), common)
	require.NoError(t, b.Fix(t.Context(), "good", "g", backend.FromNow()))
	at := time.Now().Add(500 * time.Millisecond)
	require.NoError(t, b.PublishAt(t.Context(), at, "full", wire("k", 0)))
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: prefixOf(common) + "full", Err: kerr.MessageTooLarge, Count: -1})
	for range batches {
		all := wires(0, 90)
		for _, m := range all {
			m.Payload = make([]byte, size) // which compresses to next to nothing
		}
		require.NoError(t, b.PublishAt(t.Context(), at, "good", all...))
	}
	before := heap()
	var handled atomic.Int64
	leave := consume(t, b, backend.Consumption{
		Topic: "good", Group: "g", Concurrency: 8,
		Handle: func(_ context.Context, batch *backend.Batch) (done int, _ error) {
			for batch.Next() {
				handled.Add(1)
				done++
			}
			return done, nil
		},
	}, func(err error) { t.Error(err) })
	eventually(t, "all others are handled", func() bool { return handled.Load() >= 90*batches })
	leave()
	eventually(t, "nothing of them is held", func() bool { return int64(heap())-int64(before) < batches*size*10 })
}
