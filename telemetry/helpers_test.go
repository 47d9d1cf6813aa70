package telemetry_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/telemetry"
)

// rig is a Notifier with telemetry, and what that has told.
type rig struct {
	*notify.Notifier
	telemetry *telemetry.Telemetry
	mail      *notifytest.Provider[notify.Email]
	reader    *sdkmetric.ManualReader
	spans     *tracetest.SpanRecorder
	stop      func()
}

type options struct {
	notify   notify.Config
	config   telemetry.Config
	sampler  sdktrace.Sampler
	receipts bool
	plain    bool // a provider that only takes messages, and remembers none
	register func(n *notify.Notifier)
}

// start runs a Notifier in memory whose telemetry has metrics, and traces if there
// is a sampler.
func start(t testing.TB, o options) *rig {
	t.Helper()
	r := &rig{spans: tracetest.NewSpanRecorder()}
	o.config.Durations = &telemetry.Durations{}
	r.reader = sdkmetric.NewManualReader(sdkmetric.WithProducer(o.config.Durations))
	o.config.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.reader))
	if o.sampler != nil {
		o.config.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSampler(o.sampler), sdktrace.WithSpanProcessor(r.spans))
	}
	r.telemetry = telemetry.New(o.config)
	o.notify.Logger = slog.New(slog.DiscardHandler)
	n, err := notify.New(o.notify)
	require.NoError(t, err)
	r.Notifier = n
	r.mail = notifytest.NewProvider[notify.Email]("smtp", func(c *notify.Capabilities) { c.Receipts = o.receipts })
	if o.plain {
		notify.Use(n, takes{})
	} else {
		notify.Use(n, r.mail, func(c *notify.ProviderConfig) { c.Backoff = func(int) time.Duration { return 0 } })
	}
	n.Attach(r.telemetry)
	if o.register != nil {
		o.register(n)
	}
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	stopped := false
	r.stop = func() {
		if !stopped {
			stopped = true
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			require.NoError(t, n.Close(ctx))
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// takes takes every message.
type takes struct{}

func (takes) Name() string { return "smtp" }

func (takes) Send(context.Context, notify.Delivery[notify.Email]) (notify.Receipt, error) {
	return notify.Receipt{}, nil
}

func order(tenant string) notify.Notification {
	return notify.Notification{
		To:      notify.Recipient{ID: "u_42", Addresses: map[notify.Channel]string{notify.EmailChannel: "ada@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
		Tenant:  tenant,
	}
}

// settle sends, and waits for the end.
func (r *rig) settle(t testing.TB, ctx context.Context, nt notify.Notification) string {
	t.Helper()
	id, err := r.Send(ctx, nt)
	require.NoError(t, err)
	_, err = r.Wait(t.Context(), id)
	require.NoError(t, err)
	return id
}

// sent waits until the notification is known to be sent.
func (r *rig) sent(t testing.TB, id string) {
	t.Helper()
	for e, err := range r.Watch(t.Context(), id) {
		require.NoError(t, err)
		if _, sent := e.Data.(notify.Sent); sent {
			return
		}
	}
	require.Fail(t, "it was not sent")
}

// point is one series as it was collected.
type point struct {
	attrs map[string]string
	value float64 // a histogram's count
	sum   float64
	hist  *metricdata.HistogramDataPoint[float64]
}

// last stops the Notifier and returns what a last scrape would: what is under way
// is counted then. Who waits may go on before that is, since an event is counted
// after it is stored, and an observer's invocation when its batch is over.
func (r *rig) last(t testing.TB) map[string][]point {
	t.Helper()
	r.stop()
	return r.collect(t)
}

// collect returns what a scrape would.
func (r *rig) collect(t testing.TB) map[string][]point {
	t.Helper()
	return collect(t, r.reader)
}

func collect(t testing.TB, reader *sdkmetric.ManualReader) map[string][]point {
	t.Helper()
	var data metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &data))
	all := map[string][]point{}
	for _, s := range data.ScopeMetrics {
		for _, m := range s.Metrics {
			all[m.Name] = append(all[m.Name], points(t, m)...)
		}
	}
	return all
}

func points(t testing.TB, m metricdata.Metrics) []point {
	t.Helper()
	var all []point
	switch d := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			all = append(all, point{attrs: attrs(p.Attributes), value: float64(p.Value)})
		}
	case metricdata.Sum[float64]:
		for _, p := range d.DataPoints {
			all = append(all, point{attrs: attrs(p.Attributes), value: p.Value})
		}
	case metricdata.Gauge[int64]:
		for _, p := range d.DataPoints {
			all = append(all, point{attrs: attrs(p.Attributes), value: float64(p.Value)})
		}
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			all = append(all, point{attrs: attrs(p.Attributes), value: float64(p.Count), sum: p.Sum, hist: &p})
		}
	default:
		require.Failf(t, "unknown", "%s is %T", m.Name, d)
	}
	return all
}

func attrs(set attribute.Set) map[string]string {
	all := map[string]string{}
	for _, kv := range set.ToSlice() {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

// find returns the value of the series that has these attributes, of which there
// must be one, or 0 if there is none.
func find(t testing.TB, all []point, pairs ...string) point {
	t.Helper()
	var found []point
	for _, p := range all {
		fits := true
		for i := 0; i < len(pairs); i += 2 {
			fits = fits && p.attrs[pairs[i]] == pairs[i+1]
		}
		if fits {
			found = append(found, p)
		}
	}
	require.LessOrEqual(t, len(found), 1, "more than one series: %v", found)
	if len(found) == 0 {
		return point{}
	}
	return found[0]
}
