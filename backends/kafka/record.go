package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"

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

// encoder makes the records of one call of Publish, which share what they are
// made of.
type encoder struct {
	topic   string    // in the cluster
	now     time.Time // of all records
	records []kgo.Record
	all     []*kgo.Record // those of records that are in use
	headers []kgo.RecordHeader
}

// most is how many records an encoder keeps room for.
const most = 1000

// begin makes an empty encoder of e, for n messages.
func (e *encoder) begin(topic string, n int) {
	if cap(e.records) < n {
		e.records, e.all = make([]kgo.Record, n), make([]*kgo.Record, 0, n)
	}
	e.topic, e.now = topic, time.Now()
	e.records, e.all, e.headers = e.records[:n], e.all[:0], e.headers[:0]
}

// end lets go of what the records held, so that e can be used again.
func (e *encoder) end() {
	clear(e.records)
	clear(e.all)
	clear(e.headers)
}

// encode makes the record of a message. Each entry of the metadata is a header
// of the same name and value: for an event that is the binary mode of
// CloudEvents' Kafka binding, whose headers are content-type and ce_ with the
// attribute's name. A message without such entries is a record without them, and
// no CloudEvent. It returns about how many bytes the record takes in a batch.
func (e *encoder) encode(m *message.Message) (size int, _ error) {
	if m == nil {
		return 0, errors.New("it is nil")
	}
	m, err := backend.Wire(m)
	if err != nil {
		return 0, fmt.Errorf("encode it: %w", err)
	}
	n := len(m.Metadata) + 1
	if cap(e.headers)-len(e.headers) < n {
		e.headers = make([]kgo.RecordHeader, 0, n*len(e.records)) // what was there is in use
	}
	r, at := &e.records[len(e.all)], len(e.headers)
	e.all = append(e.all, r)
	r.Topic, r.Value, r.Timestamp = e.topic, m.Payload, e.now
	if m.UUID != "" {
		e.headers = append(e.headers, kgo.RecordHeader{Key: uuidHeader, Value: bytesOf(m.UUID)})
	}
	size = 32 + len(r.Value) + len(uuidHeader) + len(m.UUID)
	for key, value := range m.Metadata {
		e.headers = append(e.headers, kgo.RecordHeader{Key: key, Value: bytesOf(value)})
		size += len(key) + len(value) + 4
		if key == backend.KeyMetadata && value != "" {
			r.Key = bytesOf(value)
			size += len(value)
		}
	}
	r.Headers = e.headers[at:len(e.headers):len(e.headers)]
	return size, nil
}

// bytesOf is the text itself and no copy, so it is for what is only read: the
// client changes neither keys nor headers.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// decode makes the message of a record. It never fails: what is no message of
// ours is one with the record's value, and with its place for a UUID.
func decode(r *kgo.Record) *message.Message {
	n := 0
	for _, h := range r.Headers {
		n += len(h.Value)
	}
	var text strings.Builder // of all headers
	text.Grow(n)
	for _, h := range r.Headers {
		text.Write(h.Value)
	}
	metadata, uuid := make(message.Metadata, len(r.Headers)), ""
	rest := text.String()
	for _, h := range r.Headers {
		value := rest[:len(h.Value)]
		rest = rest[len(h.Value):]
		if h.Key == uuidHeader {
			uuid = value
		} else {
			metadata[h.Key] = value
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
	m := message.NewMessage(uuid, bytes.Clone(r.Value)) // and does not hold all that was fetched with it
	m.Metadata = metadata
	m.SetContext(&placed{context.Background(), Place{r.Topic, r.Partition, r.Offset, r.Timestamp}})
	return m
}

// partitioner spreads keys as every Kafka client does by default. Messages
// without a key share a lane, so they share a partition. A delayed message's
// partition is its tier.
func (b *Backend) partitioner() kgo.Partitioner {
	byKey, delays := kgo.StickyKeyPartitioner(nil), b.topicName(delaysTopic)
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		of := byKey.ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			switch {
			case topic == delays:
				return int(r.Partition)
			case r.Key == nil:
				return 0
			}
			return of.Partition(r, n)
		}
	})
}
