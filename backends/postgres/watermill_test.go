package postgres_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
	"github.com/seed-6c01d079/notify/backends/postgres/postgrestest"
)

var features = tests.Features{
	ConsumerGroups:                   true,
	GuaranteedOrder:                  true,
	Persistent:                       true,
	NewSubscriberReceivesOldMessages: true,
}

// suite returns the constructors that Watermill's universal tests want, all
// for one backend.
func suite(t *testing.T, dsn string) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	b := postgres.New(dsn, schema(t))
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	ofGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		pub, err := b.Publisher()
		require.NoError(t, err)
		sub, err := b.Subscriber(group)
		require.NoError(t, err)
		if strings.Contains(t.Name(), "TestReconnect") {
			return lateLast(pub, sub)
		}
		return pub, sub
	}
	var fresh atomic.Int64
	return func(t *testing.T) (message.Publisher, message.Subscriber) {
		group := "common"
		if strings.Contains(t.Name(), "NewSubscriberReceivesOldMessages") {
			group = "fresh-" + strconv.FormatInt(fresh.Add(1), 10)
		}
		return ofGroup(t, group)
	}, ofGroup
}

// A restart is asked for only where the server is ours, and then of one that no other
// test uses; and not under the race detector, which finds a race in the test itself.
func TestWatermillPubSub(t *testing.T) {
	f, dsn := features, dsn
	if server != nil && !raced {
		own, err := postgrestest.Start()
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, own.Stop()) })
		f.RestartServiceCommand, dsn = own.RestartCommand(), own.DSN()
	}
	plain, ofGroup := suite(t, dsn)
	tests.TestPubSub(t, f, plain, ofGroup)
}

// STRESS_TEST_COUNT, Watermill's own, says how many suites run at once: see TestMain.
func TestWatermillPubSubStress(t *testing.T) {
	plain, ofGroup := suite(t, dsn)
	tests.TestPubSubStressTest(t, features, plain, ofGroup)
}

// lateLast holds back the last of TestReconnect's 10,000 messages until all are
// published, and a little longer: as soon as it comes, the test compares with what
// it noted, each after publishing it.
func lateLast(pub message.Publisher, sub message.Subscriber) (message.Publisher, message.Subscriber) {
	all := make(chan struct{})
	return &counting{Publisher: pub, all: all}, &holding{Subscriber: sub, all: all}
}

const reconnects = 10_000

type counting struct {
	message.Publisher
	n   atomic.Int64
	all chan struct{} // closed when all are published
}

func (c *counting) Publish(topic string, messages ...*message.Message) error {
	err := c.Publisher.Publish(topic, messages...)
	if err == nil && c.n.Add(1) == reconnects { // it has one a call
		close(c.all)
	}
	return err
}

type holding struct {
	message.Subscriber
	all        <-chan struct{}
	forwarding sync.WaitGroup
}

func (h *holding) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := h.Subscriber.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	h.forwarding.Go(func() {
		defer close(out)
		seen := map[string]bool{}
		for m := range in {
			if seen[m.UUID] = true; len(seen) == reconnects {
				<-h.all
				time.Sleep(time.Second) // for the test to note it
			}
			out <- m
		}
	})
	return out, nil
}

func (h *holding) Close() error {
	err := h.Subscriber.Close()
	h.forwarding.Wait()
	return err
}
