package postgres_test

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

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
