package notify_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

// withRoomForOneDelay runs a test in each form on a backend that holds one
// delayed message.
func withRoomForOneDelay(t *testing.T, f func(t *testing.T, b *notifytest.Bench)) {
	t.Helper()
	t.Parallel()
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			notifytest.Run(t, f, func(c *notify.Config) {
				c.Backend = form.of(memory.New(func(c *memory.Config) { c.MaxDelayed = 1 }))
			})
		})
	}
}

// What the backend has no room to hold until its time comes in time all the
// same, and holds up nothing else.
func TestScheduledBeyondTheRoomForDelays(t *testing.T) {
	withRoomForOneDelay(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		ids := map[string]time.Duration{}
		for hours := range 20 {
			nt := toAnna(notify.EmailChannel)
			after := time.Duration(hours) * time.Hour
			if hours > 0 {
				nt.NotBefore = time.Now().Add(after).Round(0).UTC()
			}
			ids[b.Send(nt)] = after
		}
		for id, after := range ids {
			b.Settle(id)
			b.Require(id, notifytest.At(after, notify.Sent{}), notifytest.Never(notify.Stuck{}))
		}
		require.Equal(t, len(ids), mail.Effects())
	})
}

// Retries too, and two legs of one record at different times.
func TestRetriesBeyondTheRoomForDelays(t *testing.T) {
	withRoomForOneDelay(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		mail.Next(notifytest.FailTemporarily(notify.ClassNetwork, "refused"), notifytest.FailTemporarily(notify.ClassNetwork, "refused"))
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) {
			c.Backoff = func(int) time.Duration { return 7 * time.Minute }
		})
		push := notifytest.NewProvider[notify.Push]("push")
		push.Next(notifytest.FailTemporarily(notify.ClassNetwork, "refused"))
		notify.Use(b.Notifier, push, func(c *notify.ProviderConfig) {
			c.Backoff = func(int) time.Duration { return 11 * time.Minute }
		})
		filler := toAnna(notify.EmailChannel)
		filler.NotBefore = time.Now().Add(24 * time.Hour)
		b.Send(filler)
		nt := toAnna()
		nt.Route = notify.All(notify.EmailChannel, notify.PushChannel)
		id := b.Send(nt)
		b.Settle(id)
		b.Require(id,
			notifytest.At(11*time.Minute, notify.Sent{Attempt: notify.Attempt{Leg: notify.Leg{Leg: 2}}}),
			notifytest.At(14*time.Minute, notify.Sent{Attempt: notify.Attempt{Leg: notify.Leg{Leg: 1}}}),
			notifytest.Never(notify.Stuck{}),
		)
		require.Len(t, mail.Calls(), 3)
		require.Len(t, push.Calls(), 2)
	})
}

// Work that waits for a provider is put back without a change of its record's
// decisions; it is not lost either.
func TestAProviderIsAwaitedBeyondTheRoomForDelays(t *testing.T) {
	withRoomForOneDelay(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail, func(c *notify.ProviderConfig) { c.Rate = 0.1 })
		began := time.Now()
		var ids []string
		for range 12 {
			ids = append(ids, b.Send(toAnna(notify.EmailChannel)))
		}
		for _, id := range ids {
			b.Settle(id)
			b.Require(id, notifytest.Never(notify.Stuck{}))
		}
		calls := mail.Calls()
		require.Len(t, calls, len(ids))
		require.Less(t, time.Since(began), 2*time.Minute)
	})
}
