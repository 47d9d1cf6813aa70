package notify_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestTheSameKeyGivesTheSameID(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		nt := toAnna(notify.EmailChannel)
		nt.Key, nt.Tenant = "order-1", "acme"
		id := b.Send(nt)
		require.Equal(t, id, b.Send(nt), "before it is settled")
		b.Settle(id)
		require.Equal(t, id, b.Send(nt), "and after")
		b.Pass(time.Hour)
		require.Equal(t, 1, mail.Effects())
		b.Require(id, notifytest.Once(notify.Accepted{}), notifytest.Once(notify.Settled{}))

		other := nt
		other.Content.Body = "Something else."
		_, err := b.Notifier.Send(t.Context(), other)
		require.ErrorIs(t, err, notify.ErrKeyReused)
		other = nt
		other.Tenant = "another"
		require.NotEqual(t, id, b.Send(other), "keys are the tenant's own")
	})
}

func TestARecordIsKeptForItsRetention(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		notify.Use(b.Notifier, notifytest.NewProvider[notify.Email]("mail"))
		nt := toAnna(notify.EmailChannel)
		nt.Key = "order-1"
		id := b.Send(nt)
		b.Settle(id)
		b.Pass(23 * time.Hour)
		require.Equal(t, id, b.Send(nt), "the key is remembered")
		_, err := b.Notifier.Status(t.Context(), id)
		require.NoError(t, err)
		b.Pass(time.Hour + 2*time.Minute)
		_, err = b.Notifier.Status(t.Context(), id)
		require.ErrorIs(t, err, notify.ErrNotFound)
	}, func(c *notify.Config) { c.Budgets.Retention = 24 * time.Hour })
}

// However many records expire at once, none is kept for much longer than the rest.
func TestManyRecordsExpireInTime(t *testing.T) {
	t.Parallel()
	const many = 5000
	records := memory.NewRecords()
	notifytest.Run(t, func(t *testing.T, b *notifytest.Bench) {
		b.Start()
		b.Pass(30 * time.Second)
		id := func(i int) string { return fmt.Sprint("old-", i) }
		for i := range many {
			_, err := records.Store(t.Context(), backend.Record{ID: id(i), Expires: time.Now().Add(-time.Hour)})
			require.NoError(t, err)
		}
		b.Pass(time.Minute)
		left := 0
		for i := range many {
			if _, err := records.Load(t.Context(), id(i)); err == nil {
				left++
			}
		}
		require.Zero(t, left)
	}, func(c *notify.Config) { c.Records = records })
}

// After the retention a key is a new notification. It has the ID of the first,
// but no ID stands for two events or two attempts.
func TestAKeyAfterItsRetention(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail", func(c *notify.Capabilities) { c.KeyWindow = 30 * 24 * time.Hour })
		notify.Use(b.Notifier, mail)
		nt := toAnna(notify.EmailChannel)
		nt.Key = "order-1"
		id := b.Send(nt)
		b.Settle(id)
		require.NoError(t, b.Notifier.Report(t.Context(), notify.Report{Key: mail.Keys()[0], Event: notify.Opened{}}))
		b.Pass(25 * time.Hour)

		nt.Content.Body = "Something else."
		require.Equal(t, id, b.Send(nt))
		_, err := b.Notifier.Wait(t.Context(), id)
		require.NoError(t, err)
		b.Rest()
		require.Equal(t, 2, mail.Effects())
		require.NotEqual(t, mail.Keys()[0], mail.Keys()[1])
		seen := map[string]bool{}
		for _, e := range b.Events(id) {
			require.False(t, seen[e.ID], "%T has the ID of an earlier event", e.Data)
			seen[e.ID] = true
		}
		b.Require(id, notifytest.Count(2, notify.Settled{State: notify.StateSent}))

		late := notify.Report{Key: mail.Keys()[0], Event: notify.Bounced{}}
		require.ErrorIs(t, b.Notifier.Report(t.Context(), late), notify.ErrNotFound, "it is about the first")
		require.Equal(t, id, b.Send(nt), "the second is remembered")
		nt.Content.Body = "A third."
		_, err = b.Notifier.Send(t.Context(), nt)
		require.ErrorIs(t, err, notify.ErrKeyReused)
	}, func(c *notify.Config) { c.Budgets.Retention = 24 * time.Hour })
}

func TestManySendsOfOneKeyAtOnce(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Start()
		nt := toAnna(notify.EmailChannel)
		nt.Key = "order-1"
		ids := make([]string, 64)
		errs := make([]error, 64)
		var all sync.WaitGroup
		for i := range ids {
			all.Go(func() { ids[i], errs[i] = b.Notifier.Send(t.Context(), nt) })
		}
		all.Wait()
		for i := range ids {
			require.NoError(t, errs[i])
			require.Equal(t, ids[0], ids[i])
		}
		b.Settle(ids[0])
		b.Pass(time.Hour)
		require.Equal(t, 1, mail.Effects())
		require.Len(t, mail.Calls(), 1)
		b.Require(ids[0], notifytest.Once(notify.Accepted{}), notifytest.Once(notify.Settled{}))
	})
}

func TestSendBatch(t *testing.T) {
	inRecordedForms(t, func(t *testing.T, b *notifytest.Bench) {
		mail := notifytest.NewProvider[notify.Email]("mail")
		notify.Use(b.Notifier, mail)
		b.Start()
		batch := make([]notify.Notification, 5)
		for i := range batch {
			batch[i] = toAnna(notify.EmailChannel)
			batch[i].To.Addresses = map[notify.Channel]string{notify.EmailChannel: fmt.Sprintf("a%d@example.com", i)}
		}
		results, err := b.Notifier.SendBatch(t.Context(), batch)
		require.NoError(t, err)
		for i, r := range results {
			require.NoError(t, r.Err)
			b.Settle(r.ID)
			b.Require(r.ID, notifytest.State(notify.StateSent))
			require.Equal(t, 1, mail.EffectsOf(r.ID), "notification %d", i)
		}

		// If one is wrong, none is sent, and the error says which and what.
		batch[1].To.Addresses = map[notify.Channel]string{notify.EmailChannel: "no address"}
		batch[3].Content = notify.Content{}
		_, err = b.Notifier.SendBatch(t.Context(), batch)
		var fields []string
		for _, f := range notify.FieldErrors(err) {
			fields = append(fields, f.Field)
		}
		require.Len(t, fields, 2)
		require.Equal(t, "[1].To.Addresses[email]", fields[0])
		require.Contains(t, fields[1], "[3].")
		require.NotContains(t, err.Error(), "no address", "an error holds no address")
		b.Pass(time.Hour)
		require.Equal(t, 5, mail.Effects())

		// A key that was reused is told in its place.
		batch = []notify.Notification{toAnna(notify.EmailChannel), toAnna(notify.EmailChannel)}
		batch[0].Key, batch[1].Key = "k", "k"
		batch[1].Content.Body = "Something else."
		results, err = b.Notifier.SendBatch(t.Context(), batch)
		require.ErrorIs(t, err, notify.ErrKeyReused)
		require.ErrorContains(t, err, "[1]")
		require.NoError(t, results[0].Err)
		require.ErrorIs(t, results[1].Err, notify.ErrKeyReused)
		b.Settle(results[0].ID)
		require.Equal(t, 6, mail.Effects())
	})
}
