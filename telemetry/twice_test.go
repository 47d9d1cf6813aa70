package telemetry_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// Where every message comes twice, each event of a notification is still counted
// once.
func TestRedeliveryCountsOnce(t *testing.T) {
	t.Parallel()
	var handled atomic.Int64
	carrier := memory.New()
	publisher, err := carrier.Publisher()
	require.NoError(t, err)
	doubling := notify.FromWatermill(twice{publisher}, carrier.Subscriber)
	defer func() { require.NoError(t, carrier.Close()) }()
	r := start(t, options{
		notify: notify.Config{Backend: doubling, Records: memory.NewRecords(), AddressKey: []byte("0123456789abcdef")},
		register: func(n *notify.Notifier) {
			notify.On(n, "views", func(context.Context, notify.Event[notify.Sent]) error {
				handled.Add(1)
				return nil
			})
		},
	})
	const many = 50
	for range many {
		r.settle(t, t.Context(), order(""))
	}
	require.Eventually(t, func() bool { return handled.Load() >= 2*many }, time.Minute, time.Millisecond)
	all := r.last(t)
	for _, event := range []string{"accepted", "routed", "sending", "sent", "settled"} {
		require.EqualValues(t, many, find(t, all["notify.events"], "notify.event", event).value, event)
	}
	require.GreaterOrEqual(t, find(t, all["messaging.client.consumed.messages"], "notify.observer", "views").value, 2.0*many)
}

// twice publishes every message twice.
type twice struct{ message.Publisher }

func (p twice) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		if err := p.Publisher.Publish(topic, m, m.Copy()); err != nil {
			return err
		}
	}
	return nil
}
