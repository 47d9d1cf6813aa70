package sqlite_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backends/sqlite"
)

// A reconnect, of a client to a server that was away, does not exist here:
// restart_test.go has what does, the file being closed and opened again.
var features = tests.Features{
	ConsumerGroups:                   true,
	GuaranteedOrder:                  true,
	Persistent:                       true,
	NewSubscriberReceivesOldMessages: true,
}

// suite returns the constructors that Watermill's universal tests want, all
// for one file.
func suite(t *testing.T) (tests.PubSubConstructor, tests.ConsumerGroupPubSubConstructor) {
	b := sqlite.Open(filepath.Join(t.TempDir(), "notify.db"))
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
	t.Parallel()
	plain, ofGroup := suite(t)
	tests.TestPubSub(t, features, plain, ofGroup)
}

// STRESS_TEST_COUNT, Watermill's own, says how many suites run at once: see TestMain.
func TestWatermillPubSubStress(t *testing.T) {
	t.Parallel()
	plain, ofGroup := suite(t)
	tests.TestPubSubStressTest(t, features, plain, ofGroup)
}
