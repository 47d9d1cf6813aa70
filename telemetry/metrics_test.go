package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/telemetry"
)

func TestMetricsOfObservers(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	retry := func(o *notify.Observer) {
		o.Retry = notify.Retry{Attempts: 3, Backoff: func(int) time.Duration { return 0 }}
	}
	r := start(t, options{
		config: telemetry.Config{ObserverPrice: func(observer string) telemetry.Price {
			if observer == "views" {
				return telemetry.Price{PerInvocation: 250_000, PerSecond: 1_000_000, Currency: "EUR"}
			}
			return telemetry.Price{}
		}},
		register: func(n *notify.Notifier) {
			notify.On(n, "views", func(context.Context, notify.Event[any]) error { return nil })
			notify.On(n, "shaky", func(context.Context, notify.Event[notify.Sent]) error {
				if tries.Add(1) == 1 {
					return errors.New("not yet")
				}
				return nil
			}, retry)
			notify.On(n, "broken", func(context.Context, notify.Event[notify.Settled]) error { return errors.New("never") }, retry)
		},
	})
	id := r.settle(t, t.Context(), order(""))
	require.NoError(t, r.Handled(t.Context(), id, "shaky"))
	require.ErrorIs(t, r.Handled(t.Context(), id, "broken"), notify.ErrDeadLetter)
	require.NoError(t, r.Handled(t.Context(), id, "views"))
	var all map[string][]point
	require.Eventually(t, func() bool { // what was said of the failures is for all of them
		all = r.collect(t)
		return len(all["notify.observer.lag"]) == 3 && find(t, all["notify.observer.lag"], "notify.observer", "views").value == 0 &&
			find(t, all["notify.observer.lag"], "notify.observer", "shaky").value == 0 &&
			find(t, all["messaging.client.consumed.messages"], "notify.observer", "broken", "error.type", "_OTHER").value >= 3
	}, time.Minute, time.Millisecond)
	consumed := all["messaging.client.consumed.messages"]
	ok := func(observer string) point {
		return find(t, consumed, "notify.observer", observer, "error.type", "")
	}
	failed := func(observer string) point {
		return find(t, consumed, "notify.observer", observer, "error.type", "_OTHER")
	}
	require.Equal(t, map[string]string{
		"messaging.system": "notify", "messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.destination.name": "notify.events", "messaging.consumer.group.name": "notify.views", "notify.observer": "views",
	}, ok("views").attrs)
	// The six of a notification, and what was said of the others' failures.
	require.GreaterOrEqual(t, ok("views").value, 6.0)
	require.Equal(t, 1.0, ok("shaky").value)
	require.Equal(t, 1.0, failed("shaky").value)
	require.Equal(t, 3.0, failed("broken").value)
	of := func(name, observer string) float64 { return find(t, all[name], "notify.observer", observer).value }
	require.Equal(t, 1.0, of("notify.observer.retries", "shaky"))
	require.Equal(t, 2.0, of("notify.observer.retries", "broken"))
	require.Equal(t, 1.0, of("notify.observer.dead_letters", "broken"))
	require.Zero(t, of("notify.observer.dead_letters", "shaky"))
	require.Len(t, all["notify.observer.lag"], 3)
	require.Zero(t, of("notify.observer.lag", "shaky"))
	require.Positive(t, of("notify.observer.time", "views"))

	// 0.25 for each event, and 1 for each second.
	stats := r.Stats(t.Context())
	require.Equal(t, "views", stats.Observers[0].Name)
	cost := find(t, all["notify.observer.cost"])
	require.Equal(t, map[string]string{"notify.observer": "views", "notify.currency": "EUR"}, cost.attrs)
	require.InDelta(t, ok("views").value/4, cost.value, 1)

	durations := find(t, all["messaging.process.duration"], "notify.observer", "broken")
	require.Equal(t, 3.0, durations.value)
	require.Len(t, durations.hist.BucketCounts, len(durations.hist.Bounds)+1)
}

// The bus's own histogram is told with its counts and its sum.
func TestDurationsOfObservers(t *testing.T) {
	t.Parallel()
	r := start(t, options{register: func(n *notify.Notifier) {
		notify.On(n, "slow", func(context.Context, notify.Event[notify.Settled]) error {
			time.Sleep(60 * time.Millisecond)
			return nil
		})
	}})
	id := r.settle(t, t.Context(), order(""))
	require.NoError(t, r.Handled(t.Context(), id, "slow"))
	var p point
	require.Eventually(t, func() bool { // it is counted when its batch is over
		p = find(t, r.collect(t)["messaging.process.duration"], "notify.observer", "slow")
		return p.value == 1
	}, time.Minute, time.Millisecond)
	require.GreaterOrEqual(t, p.sum, 0.06)
	var total, below uint64
	for i, n := range p.hist.BucketCounts {
		total += n
		if i < len(p.hist.Bounds) && p.hist.Bounds[i] <= 0.05 {
			below += n
		}
	}
	require.EqualValues(t, 1, total)
	require.Zero(t, below)
}

func TestMetricsOfNotificationsAndProviders(t *testing.T) {
	t.Parallel()
	r := start(t, options{receipts: true})
	r.mail.Next(notifytest.FailTemporarily(notify.ClassService, "451"))
	r.mail.Always(notifytest.SucceedWith(notify.Receipt{MessageID: "m_1", Cost: notify.Cost{Micros: 1500, Currency: "EUR"}}))
	id, err := r.Send(t.Context(), order(""))
	require.NoError(t, err)
	r.sent(t, id) // a report that comes before the answer takes the place of Sent
	require.NoError(t, r.Report(t.Context(), notify.Report{Key: r.mail.Keys()[len(r.mail.Keys())-1], Event: notify.Delivered{}}))
	_, err = r.Wait(t.Context(), id)
	require.NoError(t, err)
	r.mail.Always(notifytest.FailPermanently(notify.ClassAddress, "550"))
	r.settle(t, t.Context(), order(""))

	all := r.last(t)
	of := func(event string) float64 {
		return find(t, all["notify.events"], "notify.event", event, "notify.channel", "email", "notify.provider", "smtp").value
	}
	require.Equal(t, 1.0, of("sent"))
	require.Equal(t, 1.0, of("delivered"))
	require.Equal(t, 1.0, of("retrying"))
	require.Equal(t, 1.0, of("failed"))
	require.Equal(t, 3.0, of("sending"))
	require.Equal(t, map[string]string{"notify.event": "accepted"}, find(t, all["notify.events"], "notify.event", "accepted").attrs)
	require.Equal(t, 2.0, find(t, all["notify.events"], "notify.event", "accepted").value)

	cost := find(t, all["notify.provider.cost"])
	require.Equal(t, map[string]string{"notify.channel": "email", "notify.provider": "smtp", "notify.currency": "EUR"}, cost.attrs)
	require.InDelta(t, 0.0015, cost.value, 1e-9)

	calls := all["notify.provider.duration"]
	require.Equal(t, 1.0, find(t, calls, "error.type", "").value)
	require.Equal(t, 1.0, find(t, calls, "error.type", "service", "notify.verdict", "temporary").value)
	require.Equal(t, 1.0, find(t, calls, "error.type", "address", "notify.verdict", "permanent").value)
	require.Zero(t, find(t, all["notify.provider.down"], "notify.provider", "smtp").value)
	require.Equal(t, 1.0, find(t, all["notify.settle.duration"], "notify.state", "delivered").value)
	require.Equal(t, 1.0, find(t, all["notify.settle.duration"], "notify.state", "failed").value)
}

// What a provider cannot mean, it has not said: a counter would go backwards.
func TestCostsThatCannotBe(t *testing.T) {
	t.Parallel()
	r := start(t, options{})
	for _, micros := range []int64{math.MaxInt64, 1500, math.MaxInt64, -1500, 1_000_000_000_000_001} {
		r.mail.Next(notifytest.SucceedWith(notify.Receipt{Cost: notify.Cost{Micros: micros, Currency: "EUR"}}))
		r.settle(t, t.Context(), order(""))
	}
	require.InDelta(t, 0.0015, find(t, r.collect(t)["notify.provider.cost"]).value, 1e-9)
}

// However many tenants there are, there is a series for those that are told apart,
// and one for the others.
func TestCardinalityWith100000Tenants(t *testing.T) {
	t.Parallel()
	send := func(c telemetry.Config, many int) map[string][]point {
		r := start(t, options{config: c, plain: true})
		ids := make([]string, 0, many)
		for i := range many {
			id, err := r.Send(t.Context(), order(fmt.Sprintf("tenant-%06d", i)))
			require.NoError(t, err)
			ids = append(ids, id)
		}
		for _, id := range ids {
			_, err := r.Wait(t.Context(), id)
			require.NoError(t, err)
		}
		return r.last(t)
	}
	for name, one := range map[string]struct {
		config telemetry.Config
		told   int // tenants, with _other
		many   int
	}{
		"not told apart": {telemetry.Config{}, 0, 1000},
		"listed, and the first": {
			telemetry.Config{Tenants: []string{"tenant-000007", fmt.Sprintf("tenant-%06d", manyTenants-1)}, MaxTenants: 5}, 8, manyTenants,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := send(one.config, one.many)
			tenants, sent := map[string]bool{}, 0.0
			for metric, series := range all {
				require.LessOrEqual(t, len(series), 6*max(1, one.told), metric)
				for _, p := range series {
					if tenant := p.attrs["notify.tenant"]; tenant != "" {
						tenants[tenant] = true
					}
					if p.attrs["notify.event"] == "sent" {
						sent += p.value
					}
				}
			}
			require.Len(t, tenants, one.told)
			require.Equal(t, float64(one.many), sent, "none is lost")
			if one.told > 0 {
				require.Equal(t, 1.0, find(t, all["notify.events"], "notify.event", "sent", "notify.tenant", one.config.Tenants[1]).value)
				require.Equal(t, float64(one.many-7), find(t, all["notify.events"], "notify.event", "sent", "notify.tenant", "_other").value)
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]telemetry.Config{
		"telemetry.Config.MeterProvider": {},
		"telemetry.Config.Tenants":       {Tenants: make([]string, 1001)},
		"telemetry.Config.Tenants[1]":    {Tenants: []string{"a", ""}},
		"telemetry.Config.MaxTenants":    {MaxTenants: -1},
	} {
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(telemetry.New(config))
		var fields []string
		for _, f := range notify.FieldErrors(n.Run(t.Context())) {
			fields = append(fields, f.Field)
		}
		require.Contains(t, fields, field)
		require.NoError(t, n.Close(t.Context()))
	}
}
