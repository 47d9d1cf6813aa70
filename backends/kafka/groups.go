package kafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// groupsTopic, a compacted topic of one partition, says which groups are known.
// Kafka forgets the offsets of a group that nobody uses for a while
// (offsets.retention.minutes); that a group is known here tells one whose
// offsets are lost from one that is new. And it decides where a new group
// begins: of several who fix the same one at once, the first in the log wins.
const groupsTopic = "notify.groups"

// known is what the log says of a group.
type known struct {
	// Fixed: the offsets of the partitions below Partitions were committed. If
	// they are not there any more, they are lost.
	Fixed      bool  `json:"fixed"`
	Partitions int32 `json:"partitions"`
	// Begin is, until it is fixed, where each partition begins.
	Begin []int64 `json:"begin,omitempty"`
}

// groups is a view of the log. Its methods are safe for concurrent use.
type groups struct {
	backend *Backend

	reading lock        // held while the log is read: one reader is enough
	client  *kgo.Client // guarded by reading

	mu  sync.Mutex // guards the following
	all map[string]known
}

func (g *groups) name() string { return g.backend.topicName(groupsTopic) }

// make sees to it that the topic exists.
func (g *groups) make(ctx context.Context) error {
	return g.backend.topics.make(ctx, design{name: g.name(), create: 1, partitions: 1, compact: true})
}

// cached is what was known when the log was read last.
func (g *groups) cached(id string) (known, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k, ok := g.all[id]
	return k, ok
}

// lookup reads the log to its end.
func (g *groups) lookup(ctx context.Context, id string) (known, bool, error) {
	if err := g.read(ctx); err != nil {
		return known{}, false, fmt.Errorf("read which groups are known: %w", err)
	}
	k, ok := g.cached(id)
	return k, ok, nil
}

// propose says where a new group begins, and returns what holds: what somebody
// else said before, if so.
func (g *groups) propose(ctx context.Context, id string, k known) (known, error) {
	if err := g.write(ctx, id, &k); err != nil {
		return known{}, err
	}
	k, _, err := g.lookup(ctx, id)
	return k, err
}

// fixed says that the offsets of that many partitions are committed.
func (g *groups) fixed(ctx context.Context, id string, partitions int32) error {
	return g.write(ctx, id, &known{Fixed: true, Partitions: partitions})
}

// forget says that the group is not known any more.
func (g *groups) forget(ctx context.Context, id string) error { return g.write(ctx, id, nil) }

func (g *groups) write(ctx context.Context, id string, k *known) error {
	if err := g.make(ctx); err != nil {
		return err
	}
	r := &kgo.Record{Topic: g.name(), Key: []byte(id)}
	if k != nil {
		value, err := json.Marshal(k)
		if err != nil {
			return err
		}
		r.Value = value
	}
	if err := g.backend.produce(ctx, []*kgo.Record{r}); err != nil {
		return fmt.Errorf("write that group %s is known: %w", id, err)
	}
	return nil
}

// tokenHeader marks a record that is written to be read: whoever has come to it
// has read all that was there before. An offset would not do, since what was
// compacted away at the end of the log never comes. All share a key, so that
// one of them is kept; it is no group's, since those have a slash. The token is
// random: a process reads those of others too.
const (
	tokenHeader = "token"
	tokenKey    = "read-until"
)

// read reads the log as far as it was written when read was called.
func (g *groups) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, g.backend.config.PublishTimeout, kgo.ErrRecordTimeout)
	defer cancel()
	err := g.reading.acquire(ctx)
	if err == nil {
		defer g.reading.release()
		err = g.readUntilNow(ctx)
	}
	return ended(ctx, explain(err))
}

func (g *groups) readUntilNow(ctx context.Context) error {
	if err := g.make(ctx); err != nil {
		return err
	}
	if err := g.open(); err != nil {
		return err
	}
	token := []byte(rand.Text())
	err := g.backend.produce(ctx, []*kgo.Record{{
		Topic: g.name(), Key: []byte(tokenKey), Value: []byte("{}"), Headers: []kgo.RecordHeader{{Key: tokenHeader, Value: token}},
	}})
	if err != nil {
		return err
	}
	for {
		fetches := g.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := fetches.Err(); err != nil {
			g.shut() // the topic may be another by now
			return err
		}
		done := false
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Key) != tokenKey {
				g.apply(string(r.Key), r.Value)
			} else if len(r.Headers) == 1 && bytes.Equal(r.Headers[0].Value, token) {
				done = true
			}
		})
		if done {
			return nil
		}
	}
}

// open makes the client that reads. reading is held.
func (g *groups) open() error {
	if g.client != nil {
		return nil
	}
	client, err := kgo.NewClient(append(g.backend.options(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{g.name(): {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchMaxWait(fetchWait),
		kgo.MaxConcurrentFetches(0), // only while somebody reads
	)...)
	if err != nil {
		return err
	}
	g.client = client
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = map[string]known{}
	return nil
}

// apply takes in a record of the log.
func (g *groups) apply(id string, value []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(value) == 0 {
		delete(g.all, id)
		return
	}
	var k known
	if json.Unmarshal(value, &k) != nil {
		return // not ours
	}
	old, ok := g.all[id]
	switch {
	case ok && !k.Fixed:
		return // the first holds
	case ok && old.Fixed:
		k.Partitions = max(k.Partitions, old.Partitions)
	}
	g.all[id] = k
}

// shut ends the client that reads. reading is held.
func (g *groups) shut() {
	if g.client != nil {
		g.client.Close()
		g.client = nil
	}
}

// close is shut, once nobody reads any more.
func (g *groups) close() {
	_ = g.reading.acquire(context.Background())
	defer g.reading.release()
	g.shut()
}
