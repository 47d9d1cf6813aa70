package kafka_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
)

// event is a message as a Notifier makes it.
func event() *message.Message {
	m := message.NewMessage("0197-uuid", []byte(`{"provider":"smtp"}`))
	m.Metadata = message.Metadata{
		"ce_specversion": "1.0", "ce_id": "e_1", "ce_type": "notify.sent.v1", "ce_source": "shop",
		"ce_time": "2026-11-25T12:00:00Z", "ce_subject": "n_1", "ce_partitionkey": "n_1",
		"content-type": "application/json",
	}
	return m
}

// receive returns the first n messages of a topic, as handlers get them.
func receive(t *testing.T, b *kafka.Backend, topic string, n int) []*message.Message {
	t.Helper()
	var mu sync.Mutex
	var got []*message.Message
	leave := consume(t, b, backend.Consumption{
		Topic: topic, Group: "receiver",
		Handle: func(_ context.Context, batch *backend.Batch) (done int, _ error) {
			for batch.Next() {
				mu.Lock()
				got = append(got, batch.Message())
				mu.Unlock()
				done++
			}
			return done, nil
		},
	}, func(err error) { t.Error(err) })
	eventually(t, "they have come", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) >= n
	})
	leave()
	return got
}

// TestRecords holds records against the binary mode of CloudEvents' Kafka
// binding, and what comes back against what was published.
func TestRecords(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	pub, err := b.Publisher()
	require.NoError(t, err)
	bare := message.NewMessage("bare", []byte("not an event"))
	bare.Metadata.Set("correlation", "7")
	require.NoError(t, pub.Publish("t", event(), bare))

	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(prefixOf(common)+"t"))
	require.NoError(t, err)
	defer client.Close()
	records := map[string]*kgo.Record{}
	for len(records) < 2 {
		for r := range client.PollFetches(t.Context()).RecordsAll() {
			records[string(r.Key)] = r
		}
	}
	headers := func(r *kgo.Record) map[string]string {
		all := map[string]string{}
		for _, h := range r.Headers {
			all[h.Key] = string(h.Value)
		}
		return all
	}
	r := records["n_1"]
	require.JSONEq(t, `{"provider":"smtp"}`, string(r.Value))
	want := map[string]string(event().Metadata)
	want["_watermill_message_uuid"] = "0197-uuid"
	require.Equal(t, want, headers(r))
	require.WithinDuration(t, time.Now(), r.Timestamp, time.Minute)
	require.Nil(t, records[""].Key)
	require.Zero(t, records[""].Partition, "those without a key share a partition")
	require.Equal(t, map[string]string{"correlation": "7", "_watermill_message_uuid": "bare"}, headers(records[""]))

	for _, m := range receive(t, b, "t", 2) {
		if m.UUID == "bare" {
			require.True(t, m.Equals(bare))
		} else {
			require.True(t, m.Equals(event()))
		}
		place, ok := kafka.PlaceOf(m.Context())
		require.True(t, ok)
		require.Equal(t, prefixOf(common)+"t", place.Topic)
	}
}

// What others wrote comes as it is, with its place, and whoever handles it
// decides. It stops nothing.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config(func(c *kafka.Config) { c.Partitions = 1 })
	b := open(t, brokers, common)
	require.NoError(t, b.Fix(t.Context(), "t", "receiver", backend.FromNow()))
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	topic := prefixOf(common) + "t"
	require.NoError(t, client.ProduceSync(t.Context(),
		&kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("\xff\x00junk")},
		&kgo.Record{Topic: topic}, // nothing at all
		&kgo.Record{Topic: topic, Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte("of another producer")}}},
	).FirstErr())
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", event()))

	byID := map[string]*message.Message{}
	for _, m := range receive(t, b, "t", 4) {
		byID[m.UUID] = m
	}
	junk := byID[topic+"/0/0"]
	require.NotNil(t, junk, byID)
	require.Equal(t, "\xff\x00junk", string(junk.Payload))
	require.Equal(t, message.Metadata{
		"kafka_topic": topic, "kafka_partition": "0", "kafka_offset": "0", backend.KeyMetadata: "k",
	}, junk.Metadata)
	require.NotNil(t, byID[topic+"/0/1"])
	require.Equal(t, "{}", string(byID["of another producer"].Payload))
	require.True(t, byID["0197-uuid"].Equals(event()))
}

// A subscriber's messages know their place too.
func TestPlaceOfASubscribersMessage(t *testing.T) {
	t.Parallel()
	b := open(t, cluster(t), config())
	sub, err := b.Subscriber("g")
	require.NoError(t, err)
	messages, err := sub.Subscribe(t.Context(), "t")
	require.NoError(t, err)
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", event()))
	m := <-messages
	_, ok := kafka.PlaceOf(m.Context())
	require.True(t, ok)
	m.Ack()
	_, ok = kafka.PlaceOf(t.Context())
	require.False(t, ok)
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// A message that is held holds nothing else of what was fetched with it.
func TestAMessageHoldsItselfOnly(t *testing.T) { // and no other test runs beside it
	const batches, size = 40, 10_000
	b := open(t, cluster(t), config(func(c *kafka.Config) { c.Partitions = 1 }))
	require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
	pub, err := b.Publisher()
	require.NoError(t, err)
	for range batches {
		all := wires(0, 90)
		for _, m := range all {
			m.Payload = make([]byte, size) // which compresses to next to nothing
		}
		require.NoError(t, pub.Publish("t", all...))
	}
	before := heap()
	var held []*message.Message
	leave := consume(t, b, backend.Consumption{
		Topic: "t", Group: "g",
		Handle: func(_ context.Context, batch *backend.Batch) (done int, _ error) {
			for batch.Next() {
				if m := batch.Message(); backend.Key(m) == "k0" {
					held = append(held, m)
				}
				done++
			}
			return done, nil
		},
	}, func(err error) { t.Error(err) })
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
	leave()
	after := heap()
	require.Len(t, held, batches)
	require.Less(t, int64(after)-int64(before), int64(batches*size*10))
	runtime.KeepAlive(held)
}
