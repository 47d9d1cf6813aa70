package telemetry_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/telemetry"
)

// One that a Notifier refuses tells nothing, and takes nothing from the one that
// it has.
func TestARefusedTelemetryLeavesTheOtherAlone(t *testing.T) {
	t.Parallel()
	var durations telemetry.Durations
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(&durations))
	config := telemetry.Config{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), Durations: &durations}
	first := telemetry.New(config)
	r := start(t, options{register: func(n *notify.Notifier) {
		notify.On(n, "views", func(context.Context, notify.Event[notify.Sent]) error { return nil })
	}})
	other, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	notify.On(other, "others", func(context.Context, notify.Event[notify.Sent]) error { return nil })
	other.Attach(first)
	require.Len(t, collect(t, reader)["notify.observer.retries"], 1)

	// It came too late, and reads into the same metrics.
	config.Durations = nil
	late := telemetry.New(config)
	r.Attach(late)
	require.ErrorContains(t, r.Ready(t.Context()), "before Run")
	require.Len(t, collect(t, reader)["notify.observer.retries"], 1, "it is not collected")
	require.NoError(t, late.Close())

	// Its Durations are another's.
	config.Durations = &durations
	second := telemetry.New(config)
	third, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	third.Attach(second)
	require.ErrorContains(t, third.Run(t.Context()), "Durations tell of another")
	require.NoError(t, second.Close())
	require.Len(t, collect(t, reader)["messaging.process.duration"], 1)
	require.NoError(t, first.Close())
	require.Empty(t, collect(t, reader)["messaging.process.duration"])
	for _, n := range []*notify.Notifier{other, third} {
		require.NoError(t, n.Close(t.Context()))
	}
}

// asked counts how often the lag is asked for.
type asked struct {
	*memory.Backend
	times *atomic.Int64
}

func (a asked) Lag(ctx context.Context, topic, group string) (int64, error) {
	a.times.Add(1)
	return a.Backend.Lag(ctx, topic, group)
}

func TestOneCollectionAsksTheLagOnce(t *testing.T) {
	t.Parallel()
	var times atomic.Int64
	r := start(t, options{
		notify: notify.Config{Backend: asked{memory.New(), &times}},
		register: func(n *notify.Notifier) {
			notify.On(n, "views", func(context.Context, notify.Event[notify.Sent]) error { return nil })
		},
	})
	before := times.Load()
	all := r.collect(t)
	require.EqualValues(t, 1, times.Load()-before)
	require.Len(t, all["notify.observer.lag"], 1)
	require.Len(t, all["messaging.process.duration"], 1)
}
