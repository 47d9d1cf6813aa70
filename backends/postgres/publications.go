package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// maxNameBytes bounds the names of topics and groups.
const maxNameBytes = 255

// publications are messages on their way into the tables, a slice for each
// column.
type publications struct {
	outbox     bool // they go to the outbox, not to topics
	partitions int

	topics   []string
	parts    []int16
	ats      []*time.Time
	uuids    []string
	metadata []string
	payloads [][]byte
	bytes    int
}

// add adds a message in its wire form.
func (p *publications) add(topic string, at time.Time, m *message.Message) error {
	if m == nil {
		return errors.New("the message is missing")
	}
	if err := checkName("topic", topic); err != nil {
		return err
	}
	m, err := backend.Wire(m)
	if err != nil {
		return err
	}
	if !storable(m.UUID) {
		return errors.New("the message's UUID is not valid UTF-8, or holds a NUL")
	}
	metadata, err := encodeMetadata(m.Metadata)
	if err != nil {
		return err
	}
	payload := []byte(m.Payload)
	if payload == nil {
		payload = []byte{}
	}
	p.topics = append(p.topics, topic)
	p.parts = append(p.parts, partitionOf(backend.Key(m), p.partitions))
	p.ats = append(p.ats, timestamp(at))
	p.uuids = append(p.uuids, m.UUID)
	p.metadata = append(p.metadata, metadata)
	p.payloads = append(p.payloads, payload)
	p.bytes += len(payload) + len(metadata) + 128
	return nil
}

// The part of a statement that inserts the messages: those for later among the
// delayed, if their time has not come.
const (
	publishRows = `p as (
  select * from unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[])
  with ordinality as x(topic, partition, at, uuid, metadata, payload, n)
)`
	publishTopics = `, m as (
  insert into {s}.message (topic, partition, uuid, metadata, payload)
  select topic, partition, uuid, metadata::json, payload from p
  where (at is null or at <= statement_timestamp()) {condition} order by n
), d as (
  insert into {s}.delayed (at, topic, partition, uuid, metadata, payload)
  select at, topic, partition, uuid, metadata::json, payload from p
  where at > statement_timestamp() {condition} order by n
)`
)

// publishOne is the same for one message that has no time.
const publishOne = `m as (
  insert into {s}.message (topic, partition, uuid, metadata, payload)
  select $1::text, $2::smallint, $3::text, $4::text::json, $5::bytea where true {condition}
)`

// sql continues a "with", in which so many parameters are used.
func (p *publications) sql(condition string, used int) string {
	if p.one() {
		one := publishOne
		for i := 5; i >= 1; i-- {
			one = strings.Replace(one, fmt.Sprintf("$%d:", i), fmt.Sprintf("$%d:", i+used), 1)
		}
		return ", " + strings.ReplaceAll(one, "{condition}", condition)
	}
	rows := publishRows
	for i := 6; i >= 1; i-- {
		rows = strings.Replace(rows, fmt.Sprintf("$%d:", i), fmt.Sprintf("$%d:", i+used), 1)
	}
	return ", " + rows + strings.ReplaceAll(publishTopics, "{condition}", condition)
}

func (p *publications) one() bool { return len(p.topics) == 1 && p.ats[0] == nil }

func (p *publications) args() []any {
	if p.one() {
		return []any{p.topics[0], p.parts[0], p.uuids[0], p.metadata[0], p.payloads[0]}
	}
	return []any{p.topics, p.parts, p.ats, p.uuids, p.metadata, p.payloads}
}

// write publishes the messages by themselves.
func (p *publications) write(c *Config) *write {
	text := "with " + strings.TrimPrefix(p.sql("", 0), ", ") + " select 1"
	return &write{sql: c.sql(text), args: p.args(), bytes: p.bytes}
}

// maxPartitions bounds [Config.Partitions].
const maxPartitions = 1024

// partitionOf is the partition of a key, by FNV-1a. It must stay as it is: keys
// that moved would lose their order.
func partitionOf(key string, partitions int) int16 {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int16(h.Sum32() % uint32(max(partitions, 1)))
}

// encodeMetadata writes metadata as JSON.
func encodeMetadata(m message.Metadata) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	for name, value := range m {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			return "", fmt.Errorf("the metadata %q is not valid UTF-8", name)
		}
	}
	data, err := json.Marshal(map[string]string(m))
	return string(data), err
}

// newMessage is a message as it is read from a table.
func newMessage(uuid string, metadata, payload []byte) (*message.Message, error) {
	m := message.NewMessage(uuid, payload)
	if string(metadata) != "{}" {
		if err := json.Unmarshal(metadata, (*map[string]string)(&m.Metadata)); err != nil {
			return nil, fmt.Errorf("decode the metadata of message %s: %w", uuid, err)
		}
	}
	return m, nil
}

// checkName checks the name of a topic or a group.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the %s is empty", what)
	case len(name) > maxNameBytes:
		return fmt.Errorf("the name of the %s has %d bytes; at most %d are allowed", what, len(name), maxNameBytes)
	case !storable(name):
		return fmt.Errorf("the name of the %s is not valid UTF-8, or holds a NUL", what)
	}
	return nil
}

// storable tells whether the database can keep it as text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
