package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify/backend"
)

// uuidHeader holds a message's UUID. It is where the Kafka publisher of
// Watermill puts it, so that each can read what the other wrote.
const uuidHeader = "_watermill_message_uuid"

// The metadata of a message that has no UUID and no ce_id of its own: somebody
// else wrote its record, and this says which it is.
const (
	topicMetadata     = "kafka_topic"
	partitionMetadata = "kafka_partition"
	offsetMetadata    = "kafka_offset"
)

// Place is where in Kafka a message was read.
type Place struct {
	Topic     string // with the prefix
	Partition int32
	Offset    int64
	Time      time.Time // the record's timestamp
}

// PlaceOf returns where the message was read, by the context of one that
// Consume handed out or a subscriber received.
func PlaceOf(ctx context.Context) (Place, bool) {
	p, ok := ctx.Value(placeKey{}).(Place)
	return p, ok
}

type placeKey struct{}

// placed is the context of a message that was read.
type placed struct {
	context.Context
	place Place
}

func (p *placed) Value(key any) any {
	if _, ok := key.(placeKey); ok {
		return p.place
	}
	return p.Context.Value(key)
}

// encode makes the record of a message, for the topic with that name in the
// cluster. Each entry of the metadata is a header of the same name and value:
// for an event that is the binary mode of CloudEvents' Kafka binding, whose
// headers are content-type and ce_ with the attribute's name. A message without
// such entries is a record without them, and no CloudEvent.
func encode(topic string, m *message.Message) (*kgo.Record, error) {
	if m == nil {
		return nil, errors.New("a message is nil")
	}
	m, err := backend.Wire(m)
	if err != nil {
		return nil, fmt.Errorf("encode a message: %w", err)
	}
	r := &kgo.Record{Topic: topic, Value: m.Payload, Headers: make([]kgo.RecordHeader, 0, len(m.Metadata)+1)}
	if key := backend.Key(m); key != "" {
		r.Key = []byte(key)
	}
	if m.UUID != "" {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: uuidHeader, Value: []byte(m.UUID)})
	}
	for key, value := range m.Metadata {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	return r, nil
}

// decode makes the message of a record. It never fails: what is no message of
// ours is one with the record's value, and with its place for a UUID.
func decode(r *kgo.Record) *message.Message {
	metadata := make(message.Metadata, len(r.Headers)+1)
	uuid := ""
	for _, h := range r.Headers {
		if h.Key == uuidHeader {
			uuid = string(h.Value)
		} else {
			metadata[h.Key] = string(h.Value)
		}
	}
	if metadata[backend.KeyMetadata] == "" && len(r.Key) > 0 {
		metadata[backend.KeyMetadata] = string(r.Key) // its order is by key too
	}
	if uuid == "" {
		uuid = metadata["ce_id"]
	}
	if uuid == "" {
		partition, offset := strconv.Itoa(int(r.Partition)), strconv.FormatInt(r.Offset, 10)
		uuid = r.Topic + "/" + partition + "/" + offset
		metadata[topicMetadata], metadata[partitionMetadata], metadata[offsetMetadata] = r.Topic, partition, offset
	}
	m := message.NewMessage(uuid, r.Value)
	m.Metadata = metadata
	m.SetContext(&placed{context.Background(), Place{r.Topic, r.Partition, r.Offset, r.Timestamp}})
	return m
}

// size is about what the record takes in a batch.
func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value) + 32
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value) + 4
	}
	return n
}

// partitioner spreads keys as every Kafka client does by default. Messages
// without a key share a lane, so they share a partition.
func partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		of := byKey.ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			switch {
			case r.Context != nil && r.Context.Value(tierKey{}) != nil:
				return int(r.Partition) // a delayed message's partition is its tier
			case r.Key == nil:
				return 0
			}
			return of.Partition(r, n)
		}
	})
}
