package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// topics are those that were created or checked, each once.
type topics struct {
	backend *Backend

	mu    sync.Mutex
	known map[string]*topic // by its name in the cluster
}

// topic is what was found out about a topic of the cluster.
type topic struct {
	making  lock // held while it is created or checked
	checked atomic.Bool
}

// design is how a topic has to be.
type design struct {
	name       string // in the cluster
	create     int    // partitions of a new one
	partitions int    // that an old one must have; 0 is any
	retention  time.Duration
	compact    bool
}

// topicName is the topic's name in the cluster.
func (b *Backend) topicName(topic string) string { return b.config.Prefix + topic }

// groupID is the name in the cluster of a group of a topic. No topic's name has
// a slash.
func (b *Backend) groupID(topic, group string) string { return b.topicName(topic) + "/" + group }

func (b *Backend) ofMessages(topic string) design {
	return design{
		name: b.topicName(topic), create: b.config.newPartitions(), partitions: b.config.Partitions, retention: b.config.Retention,
	}
}

// ensure sees to it that the topic of messages exists and is as configured, and
// returns its name in the cluster.
func (t *topics) ensure(ctx context.Context, topic string) (string, error) {
	if name := t.backend.topicName(topic); t.checked(name) {
		return name, nil
	}
	if !legalTopic(topic) {
		return "", fmt.Errorf("the topic %q: Kafka allows letters, digits, '.', '_' and '-', and 200 of them", topic)
	}
	d := t.backend.ofMessages(topic)
	return d.name, t.make(ctx, d)
}

func legalTopic(name string) bool {
	return legalName.MatchString(name) && strings.Trim(name, ".") != ""
}

// checked tells whether the topic was created or checked.
func (t *topics) checked(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.known[name]
	return one != nil && one.checked.Load()
}

func (t *topics) of(name string) *topic {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.known[name]
	if one == nil {
		one = &topic{making: newLock()}
		if t.known == nil {
			t.known = map[string]*topic{}
		}
		t.known[name] = one
	}
	return one
}

// make is ensure for any topic.
func (t *topics) make(ctx context.Context, d design) error {
	one := t.of(d.name)
	err := one.making.acquire(ctx)
	if err == nil {
		defer one.making.release()
		if one.checked.Load() {
			return nil
		}
		err = t.patiently(ctx, func(ctx context.Context) error { return t.settle(ctx, d) })
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", d.name, explain(err))
	}
	one.checked.Store(true)
	return nil
}

// patiently tries until the cluster answers, but no longer than it may take to
// connect to it.
func (t *topics) patiently(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, t.backend.config.StartTimeout)
	defer cancel()
	for {
		err := do(ctx)
		if err == nil || !unreachable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// gone forgets a topic that the cluster does not know any more, if err says so.
func (t *topics) gone(name string, err error) {
	if !errors.Is(err, kerr.UnknownTopicOrPartition) && !errors.Is(err, kerr.UnknownTopicID) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, name)
}

// settle creates the topic if it is not there, waits until it can be used, and
// checks it.
func (t *topics) settle(ctx context.Context, d design) error {
	admin := t.backend.admin()
	found, err := t.detail(ctx, admin, d.name)
	if err != nil {
		return err
	}
	if found == nil {
		if err := t.create(ctx, admin, d); err != nil {
			return err
		}
	}
	for found == nil || !ready(found) {
		if found, err = t.detail(ctx, admin, d.name); err != nil {
			return fmt.Errorf("waiting until its partitions have leaders: %w", err)
		}
		if found == nil || !ready(found) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("its partitions have no leaders: %w: see to the cluster's brokers", context.Cause(ctx))
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return t.check(ctx, admin, d, found)
}

// detail returns what the cluster says of the topic, or nil if there is none.
func (t *topics) detail(ctx context.Context, admin *kadm.Client, name string) (*kadm.TopicDetail, error) {
	all, err := admin.ListTopics(ctx, name)
	if err != nil {
		return nil, err
	}
	d := all[name]
	switch {
	case errors.Is(d.Err, kerr.UnknownTopicOrPartition) || d.Topic == "":
		return nil, nil
	case d.Err != nil && !kerr.IsRetriable(d.Err):
		return nil, d.Err
	}
	return &d, nil
}

func ready(d *kadm.TopicDetail) bool {
	if d.Err != nil || len(d.Partitions) == 0 {
		return false
	}
	for _, p := range d.Partitions {
		if p.Err != nil || p.Leader < 0 {
			return false
		}
	}
	return true
}

func (t *topics) create(ctx context.Context, admin *kadm.Client, d design) error {
	c := &t.backend.config
	configs := map[string]*string{
		"min.insync.replicas": new(strconv.Itoa(c.MinInSync)),
		"max.message.bytes":   new(strconv.Itoa(c.MaxBytes + batchRoom)),
		"cleanup.policy":      new("delete"),
		"retention.ms":        new(strconv.FormatInt(d.retention.Milliseconds(), 10)),
	}
	if d.compact {
		configs["cleanup.policy"] = new("compact")
		delete(configs, "retention.ms")
	}
	created, err := admin.CreateTopic(ctx, int32(d.create), int16(c.Replication), configs, d.name)
	if err == nil {
		err = created.Err
	}
	switch {
	case err == nil || errors.Is(err, kerr.TopicAlreadyExists): // by another process, just now
		return nil
	case created.ErrMessage != "":
		return fmt.Errorf("create it with %d partitions and %d replicas: %w: %s", d.create, c.Replication, err, created.ErrMessage)
	}
	return fmt.Errorf("create it with %d partitions and %d replicas: %w", d.create, c.Replication, err)
}

// check reports every setting of the topic that is weaker than what was
// configured.
func (t *topics) check(ctx context.Context, admin *kadm.Client, d design, found *kadm.TopicDetail) error {
	all, err := admin.DescribeTopicConfigs(ctx, d.name)
	if err != nil {
		return fmt.Errorf("read its settings: %w", err)
	}
	settings, err := all.On(d.name, nil)
	if err == nil {
		err = settings.Err
	}
	if err != nil {
		return fmt.Errorf("read its settings: %w", err)
	}
	c := &t.backend.config
	var problems []error
	wrong := func(what string, is, want any, how string) {
		problems = append(problems, fmt.Errorf("%s is %v, and %v was configured: %s", what, is, want, how))
	}
	alter := func(key string, value any) string {
		return fmt.Sprintf("kafka-configs.sh --alter --topic %s --add-config %s=%v", d.name, key, value)
	}
	if n := len(found.Partitions); d.partitions > 0 && n < d.partitions {
		wrong("the number of partitions", n, d.partitions,
			fmt.Sprintf("kafka-topics.sh --alter --topic %s --partitions %d (keys move, so their order is not kept across the change), or set Config.Partitions to %d", d.name, d.partitions, n))
	} else if d.partitions > 0 && n > d.partitions {
		wrong("the number of partitions", n, d.partitions, fmt.Sprintf("set Config.Partitions to %d", n))
	}
	if n := found.Partitions.NumReplicas(); n < c.Replication {
		wrong("the number of replicas", n, c.Replication,
			fmt.Sprintf("kafka-reassign-partitions.sh gives it more, or set Config.Replication to %d", n))
	}
	if n, ok := number(settings, "min.insync.replicas"); ok && n < int64(c.MinInSync) {
		wrong("min.insync.replicas", n, c.MinInSync, alter("min.insync.replicas", c.MinInSync)+fmt.Sprintf(", or set Config.MinInSync to %d", n))
	}
	if n, ok := number(settings, "max.message.bytes"); ok && n < int64(c.MaxBytes+batchRoom) {
		wrong("max.message.bytes", n, c.MaxBytes+batchRoom, alter("max.message.bytes", c.MaxBytes+batchRoom)+fmt.Sprintf(", or set Config.MaxBytes to %d", n-batchRoom))
	}
	policy, _ := setting(settings, "cleanup.policy")
	compacts := strings.Contains(policy, "compact")
	switch {
	case compacts && !d.compact:
		wrong("cleanup.policy", policy, "delete", alter("cleanup.policy", "delete")+", since compaction would drop all but the last message of a key")
	case !compacts && d.compact:
		wrong("cleanup.policy", policy, "compact", alter("cleanup.policy", "compact"))
	}
	t.warn(d, settings)
	if n, ok := number(settings, "retention.ms"); ok && !d.compact && n >= 0 && n < d.retention.Milliseconds() {
		wrong("retention.ms", n, d.retention.Milliseconds(), alter("retention.ms", d.retention.Milliseconds())+", or lower Config.Retention")
	}
	return errors.Join(problems...)
}

// warn logs what may lose messages though it is nothing that is configured here.
func (t *topics) warn(d design, settings kadm.ResourceConfig) {
	log := t.backend.config.Logger
	if v, _ := setting(settings, "unclean.leader.election.enable"); v == "true" {
		log.Warn("kafka: a topic may lose messages that were acknowledged, when all replicas in sync fail", "topic", d.name, "unclean.leader.election.enable", v)
	}
	if n, ok := number(settings, "retention.bytes"); ok && n >= 0 && !d.compact {
		log.Warn("kafka: a topic may lose messages before Config.Retention, once they take that much", "topic", d.name, "retention.bytes", n)
	}
}

func setting(settings kadm.ResourceConfig, key string) (string, bool) {
	for _, s := range settings.Configs {
		if s.Key == key && s.Value != nil {
			return *s.Value, true
		}
	}
	return "", false
}

func number(settings kadm.ResourceConfig, key string) (int64, bool) {
	s, ok := setting(settings, key)
	n, err := strconv.ParseInt(s, 10, 64)
	return n, ok && err == nil
}
