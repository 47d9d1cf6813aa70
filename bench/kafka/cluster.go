package kafka

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/bench"
)

// Prefix begins the topics' names in the cluster.
const Prefix = "bench."

var group atomic.Int64

// newGroup names a group that nobody has used.
func newGroup() string { return "group-" + strconv.FormatInt(group.Add(1), 10) }

// Brokers is how many a cluster has.
const Brokers = 3

// Cluster is a cluster in this process: in fact two, of which the one that is
// published to keeps nothing, so that its memory is not what is measured.
type Cluster struct {
	keeps, forgets *kfake.Cluster
	topics         int
}

// Start starts a cluster.
func Start() (*Cluster, error) {
	keeps, err := kfake.NewCluster(kfake.NumBrokers(Brokers))
	if err != nil {
		return nil, fmt.Errorf("start a cluster: %w", err)
	}
	forgets, err := kfake.NewCluster(kfake.NumBrokers(Brokers), kfake.BlackholeProduce())
	if err != nil {
		keeps.Close()
		return nil, fmt.Errorf("start a cluster: %w", err)
	}
	return &Cluster{keeps: keeps, forgets: forgets}, nil
}

// Close ends the cluster.
func (c *Cluster) Close() {
	c.keeps.Close()
	c.forgets.Close()
}

// with does a job with a client of the side, in a topic of its own.
func (c *Cluster) with(on *kfake.Cluster, side Side, job func(client Client, topic string) (bench.Cost, error)) (bench.Cost, error) {
	c.topics++
	topic := "topic-" + strconv.Itoa(c.topics)
	if err := on.CreateTopic(Prefix+topic, Partitions, map[string]string{"min.insync.replicas": "2", "max.message.bytes": "1048588"}); err != nil {
		return bench.Cost{}, fmt.Errorf("make a topic: %w", err)
	}
	for p := range int32(Partitions) {
		if err := on.MoveTopicPartition(Prefix+topic, p, p%Brokers); err != nil {
			return bench.Cost{}, fmt.Errorf("place a partition: %w", err)
		}
	}
	client, err := side.Open(on.ListenAddrs())
	if err != nil {
		return bench.Cost{}, errors.Join(err, on.DeleteTopic(Prefix+topic))
	}
	cost, err := job(client, topic)
	return cost, errors.Join(err, client.Close(), on.DeleteTopic(Prefix+topic))
}

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
