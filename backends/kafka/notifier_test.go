package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/kafka"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// flaky is a provider of e-mail whose first call fails.
type flaky struct{ calls atomic.Int64 }

func (*flaky) Name() string { return "flaky" }

func (f *flaky) Send(_ context.Context, d notify.Delivery[notify.Email]) (notify.Receipt, error) {
	if f.calls.Add(1) == 1 {
		return notify.Receipt{}, &notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassNetwork, Err: errors.New("busy")}
	}
	return notify.Receipt{MessageID: "<" + d.Key + "@example.com>"}, nil
}

// notifier starts a Notifier that is one of several processes, which share the
// cluster and the records.
func notifier(t *testing.T, b *kafka.Backend, records notify.Records, provider *flaky, see func(notify.Event[any]) error) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{
		Backend: b, Records: records, AddressKey: []byte(strings.Repeat("k", 32)), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	notify.Use(n, provider)
	notify.On(n, "everything", func(_ context.Context, e notify.Event[any]) error { return see(e) })
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ran)
		require.NoError(t, n.Close(context.Background()))
	})
	require.NoError(t, n.Ready(t.Context()))
	return n
}

// Without records a notification's state travels with its work, and who waits
// reads its events.
func TestNotifierWithoutRecords(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	n := notifier(t, kafka.New(brokers, common), notify.NoRecords(memory.NewRecords()), &flaky{}, func(notify.Event[any]) error { return nil })
	for range 5 {
		id, err := n.Send(t.Context(), notification())
		require.NoError(t, err)
		status, err := n.Wait(t.Context(), id)
		require.NoError(t, err)
		require.True(t, status.Settled)
	}
}

func notification() notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "u", Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	}
}

// Two processes share the work of a Notifier: everything settles, and every
// event is seen.
func TestNotifier(t *testing.T) {
	t.Parallel()
	brokers, common := cluster(t), config()
	records := memory.NewRecords()
	provider := &flaky{}
	var mu sync.Mutex
	seen := map[string]map[string]bool{}
	see := func(e notify.Event[any]) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[e.NotificationID] == nil {
			seen[e.NotificationID] = map[string]bool{}
		}
		seen[e.NotificationID][fmt.Sprintf("%T", e.Data)] = true
		return nil
	}
	all := []*notify.Notifier{
		notifier(t, kafka.New(brokers, common), records, provider, see),
		notifier(t, kafka.New(brokers, common), records, provider, see),
	}
	// What is no event goes to the dead letters, and holds up nothing.
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	topic := prefixOf(common) + "notify.events"
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("junk")}).FirstErr())

	const sent = 30
	var ids []string
	for i := range sent {
		id, err := all[i%2].Send(t.Context(), notification())
		require.NoError(t, err)
		ids = append(ids, id)
	}
	for i, id := range ids {
		status, err := all[(i+1)%2].Wait(t.Context(), id)
		require.NoError(t, err)
		require.True(t, status.Settled)
	}
	eventually(t, "every event is seen", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			if !seen[id]["notify.Accepted"] || !seen[id]["notify.Sent"] || !seen[id]["notify.Settled"] {
				return false
			}
		}
		return true
	})
	require.GreaterOrEqual(t, provider.calls.Load(), int64(sent))
	eventually(t, "the junk is a dead letter", func() bool {
		letters, err := all[0].DeadLetters(t.Context(), "everything", "", 10)
		return err == nil && len(letters) == 1
	})
}

// More work of a newer version than may be parked neither stops a partition nor
// holds back its offset.
func TestWorkOfANewerVersion(t *testing.T) {
	t.Parallel()
	brokers := cluster(t)
	common := config(func(c *kafka.Config) { c.Partitions, c.MaxParkedPerKey, c.MaxParked = 1, 5, 20 })
	b := kafka.New(brokers, common)
	n := notifier(t, b, memory.NewRecords(), &flaky{}, func(notify.Event[any]) error { return nil })
	publisher, err := b.Publisher()
	require.NoError(t, err)
	for i := range 60 {
		m := message.NewMessage(fmt.Sprint("later-", i), fmt.Appendf(nil, `{"v":2,"id":"n-%d"}`, i))
		m.Metadata[backend.KeyMetadata] = fmt.Sprintf("n-%d", i%2*i)
		require.NoError(t, publisher.Publish("notify.route", m))
	}
	id, err := n.Send(t.Context(), notification())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	status, err := n.Wait(ctx, id)
	require.NoError(t, err)
	require.Equal(t, notify.StateSent, status.State)
	require.NoError(t, b.CatchUp(ctx, "notify.route", "notify"))
	eventually(t, "the offset is committed", func() bool {
		lag, err := b.Lag(ctx, "notify.route", "notify")
		return err == nil && lag == 0
	})
}
