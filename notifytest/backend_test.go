package notifytest_test

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// ofMemory is what the backend in memory has: everything.
func ofMemory() notifytest.Features {
	return notifytest.Features{
		Consumer: true, Positioner: true, DelayedPublisher: true, Records: true, Atomic: true, DeadLetters: true, DeadLetterCounter: true,
		Admitter: true, LocalPublisher: true, SecretKeeper: true, Presence: true,
		Ordered: true, Concurrent: true, Shared: true, Kept: true,
		MaxRecords: 600, MaxDeadLetters: 500, MaxWork: 500, Synctest: true,
	}
}

func small(c *memory.Config) { c.MaxRecords, c.MaxDeadLetters, c.MaxWork = 600, 500, 500 }

func openMemory(testing.TB) backend.Backend { return memory.New(small) }

func TestBackendSuiteOnMemory(t *testing.T) { notifytest.TestBackend(t, openMemory, ofMemory()) }

func TestBackendSuiteOnMemoryInRealTime(t *testing.T) {
	f := ofMemory()
	f.Synctest, f.Quiet = false, 20*time.Millisecond
	notifytest.TestBackend(t, openMemory, f)
}

// Over Watermill's subscribers: what is left when the powers are hidden.
func TestBackendSuiteOnSubscribersOfMemory(t *testing.T) {
	notifytest.TestBackend(t, func(testing.TB) backend.Backend {
		return struct{ backend.Backend }{memory.New()}
	}, notifytest.Features{Ordered: true, Shared: true, Kept: true, Synctest: true})
}

func TestBackendSuiteOnFromWatermill(t *testing.T) {
	notifytest.TestBackend(t, func(testing.TB) backend.Backend {
		b := memory.New()
		pub, err := b.Publisher()
		if err != nil {
			t.Fatal(err)
		}
		return notify.FromWatermill(pub, b.Subscriber)
	}, notifytest.Features{Consumer: true, Ordered: true, Shared: true, Kept: true, Synctest: true})
}

// A gochannel keeps nothing, has no groups and no order.
func TestBackendSuiteOnGoChannel(t *testing.T) {
	for _, virtual := range []bool{true, false} {
		notifytest.TestBackend(t, func(testing.TB) backend.Backend {
			pubSub := gochannel.NewGoChannel(gochannel.Config{}, nil)
			b := notify.FromWatermill(pubSub, func(string) (message.Subscriber, error) { return pubSub, nil })
			if !virtual {
				b = struct{ backend.Backend }{b} // the suite knows then when it has subscribed
			}
			return b
		}, notifytest.Features{Consumer: virtual, Concurrent: true, Synctest: virtual, Quiet: 50 * time.Millisecond})
	}
}

func TestRecordsSuiteOnMemory(t *testing.T) {
	notifytest.TestRecords(t, func(testing.TB) backend.Records { return memory.NewRecords(small) }, notifytest.Features{
		Records: true, DeadLetters: true, DeadLetterCounter: true, Presence: true, MaxRecords: 600, MaxDeadLetters: 500, Synctest: true,
	})
}
