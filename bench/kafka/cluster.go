package kafka

import (
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backend"
)

// Prefix begins the topics' names in the cluster.
const Prefix = "bench."

var group atomic.Int64

// newGroup names a group that nobody has used.
func newGroup() string { return "group-" + strconv.FormatInt(group.Add(1), 10) }

// Cluster is a cluster in this process, with a topic for each job.
type Cluster struct {
	fake  *kfake.Cluster
	topic int
}

// Start starts a cluster.
func Start() (*Cluster, error) {
	fake, err := kfake.NewCluster()
	if err != nil {
		return nil, fmt.Errorf("start a cluster: %w", err)
	}
	return &Cluster{fake: fake}, nil
}

// Brokers are the addresses of the cluster.
func (c *Cluster) Brokers() []string { return c.fake.ListenAddrs() }

// Topic makes a topic, and returns its name without the prefix.
func (c *Cluster) Topic() (string, error) {
	c.topic++
	name := "topic-" + strconv.Itoa(c.topic)
	err := c.fake.CreateTopic(Prefix+name, Partitions, map[string]string{"min.insync.replicas": "2", "max.message.bytes": "1048588"})
	if err != nil {
		return "", fmt.Errorf("make a topic: %w", err)
	}
	return name, nil
}

// Drop deletes a topic, so that its messages take no memory in the next job.
func (c *Cluster) Drop(topic string) error { return c.fake.DeleteTopic(Prefix + topic) }

// Close ends the cluster.
func (c *Cluster) Close() { c.fake.Close() }

// Keys is how many keys the messages have.
const Keys = 1000

// Message is the n-th message: an event of the usual size.
func Message(n int) *message.Message {
	id := strconv.Itoa(n)
	m := message.NewMessage(id, []byte(`{"provider":"smtp","provider_message_id":"<`+id+`@example.com>","channel":"email","attempt":1,"cost":{"amount":"0.0004","currency":"EUR"}}`))
	m.Metadata = message.Metadata{
		"ce_specversion": "1.0", "ce_id": id, "ce_type": "notify.sent.v1", "ce_source": "bench", "ce_time": "2026-11-25T12:00:00Z",
		"ce_subject": "n_" + id, backend.KeyMetadata: "n_" + strconv.Itoa(n%Keys), "content-type": "application/json",
	}
	return m
}

// Messages are the messages from <= n < to.
func Messages(from, to int) []*message.Message {
	all := make([]*message.Message, 0, to-from)
	for n := from; n < to; n++ {
		all = append(all, Message(n))
	}
	return all
}
