package postgres_test

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/postgres"
)

// features has a restart only where the server is ours, and not under the race
// detector, which finds a race in the test itself.
func features() tests.Features {
	f := tests.Features{
		ConsumerGroups:                   true,
		GuaranteedOrder:                  true,
		Persistent:                       true,
		NewSubscriberReceivesOldMessages: true,
	}
	if server != nil && !raced {
		f.RestartServiceCommand = server.RestartCommand()
	}
	return f
}

// suite returns the constructors that Watermill's universal tests want, all
// for one backend.
func suite(t *testing.T) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
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

func TestWatermillPubSub(t *testing.T) {
	plain, ofGroup := suite(t)
	tests.TestPubSub(t, features(), plain, ofGroup)
}

// STRESS_TEST_COUNT, Watermill's own, says how many suites run at once.
func TestWatermillPubSubStress(t *testing.T) {
	if os.Getenv("STRESS_TEST_COUNT") == "" {
		t.Setenv("STRESS_TEST_COUNT", "1")
	}
	f := features()
	f.RestartServiceCommand = nil // the suites share a server
	plain, ofGroup := suite(t)
	tests.TestPubSubStressTest(t, f, plain, ofGroup)
}
