package telemetry_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed-6c01d079/notify"
)

// Metrics are still there for the last collection after the Notifier is closed,
// and gone when the telemetry is.
func TestClose(t *testing.T) {
	t.Parallel()
	r := start(t, options{register: func(n *notify.Notifier) {
		notify.On(n, "views", func(context.Context, notify.Event[notify.Sent]) error { return nil })
	}})
	r.settle(t, t.Context(), order(""))
	r.stop()
	all := r.collect(t)
	require.Equal(t, 1.0, find(t, all["messaging.client.consumed.messages"], "notify.observer", "views").value)
	require.Equal(t, 1.0, find(t, all["messaging.process.duration"], "notify.observer", "views").value)
	require.NoError(t, r.telemetry.Close())
	require.NoError(t, r.telemetry.Close())
	var data metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(t.Context(), &data))
	for name := range r.collect(t) {
		require.Contains(t, []string{"notify.provider.duration", "notify.settle.duration"}, name, "only what was recorded")
	}
}

// A telemetry that was closed may be attached to another Notifier, while the first
// one runs on, with traces.
func TestAttachedAgain(t *testing.T) {
	t.Parallel()
	r := start(t, options{sampler: sdktrace.AlwaysSample()})
	ended := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := r.Send(t.Context(), order("")); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for range 20 {
		require.NoError(t, r.telemetry.Close())
		n, err := notify.New(notify.Config{})
		require.NoError(t, err)
		n.Attach(r.telemetry)
		require.NoError(t, n.Close(t.Context()))
	}
	close(stop)
	<-ended
}
