// Package instrumented measures what telemetry costs: the same jobs as in package
// bench, with and without it.
package instrumented

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/telemetry"
)

// Kind is how much telemetry there is.
type Kind string

// The kinds.
const (
	Plain     Kind = "without telemetry"
	Metrics   Kind = "metrics, collected every second"
	Unsampled Kind = "metrics, and traces that are not sampled"
	Sampled   Kind = "metrics, and traces that are all sampled"
)

// Kinds are all of them, Plain first.
func Kinds() []Kind { return []Kind{Plain, Metrics, Unsampled, Sampled} }

// Every is how often metrics are collected: some 15 times as often as a scraper
// would.
const Every = time.Second

// Emit has n observers handle an event of the host's, emitted within a span of
// the caller's where there are traces.
func Emit(kind Kind, n int, length bench.Length) (bench.Cost, error) {
	return bench.FanOut(bench.Side{Name: string(kind), Start: func(_ int, gate *bench.Gate) (bench.Bus, error) {
		i := newInstruments(kind)
		notifier, stop, err := bench.Open(notify.Config{}, func(n *notify.Notifier) {
			i.attach(n)
			bench.Observe(n, gate)
		})
		if err != nil {
			return nil, err
		}
		return &bus{notifier: notifier, ctx: i.caller(), stop: func() error { return errors.Join(stop(), i.close()) }}, nil
	}}, n, bench.Outstanding, length)
}

// Send has notifications settle, as [bench.SendToSettled] does.
func Send(kind Kind, length bench.Length) (bench.Cost, error) {
	i := newInstruments(kind)
	cost, err := bench.SendToSettled(bench.Outstanding, length, i.attach)
	return cost, errors.Join(err, i.close())
}

type bus struct {
	notifier *notify.Notifier
	ctx      context.Context // of all that is published
	stop     func() error
}

func (b *bus) Publish(seq uint64) error {
	_, err := notify.Emit(b.ctx, b.notifier, bench.NewEvent(seq))
	return err
}

func (b *bus) Close() error { return b.stop() }

// instruments are a host's set-up of OpenTelemetry.
type instruments struct {
	kind      Kind
	telemetry *telemetry.Telemetry
	meters    *sdkmetric.MeterProvider
	traces    *sdktrace.TracerProvider
	stopped   chan struct{}
	collected chan struct{}
}

func newInstruments(kind Kind) *instruments {
	i := &instruments{kind: kind}
	if kind == Plain {
		return i
	}
	config := telemetry.Config{Durations: &telemetry.Durations{}}
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(config.Durations))
	i.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	config.MeterProvider = i.meters
	sampler := sdktrace.NeverSample()
	if kind == Sampled {
		sampler = sdktrace.AlwaysSample()
	}
	if kind != Metrics {
		i.traces = sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.ParentBased(sampler)), sdktrace.WithSpanProcessor(nowhere{}))
		config.TracerProvider = i.traces
	}
	i.telemetry = telemetry.New(config)
	i.stopped, i.collected = make(chan struct{}), make(chan struct{})
	go i.collect(reader)
	return i
}

func (i *instruments) attach(n *notify.Notifier) {
	if i.telemetry != nil {
		n.Attach(i.telemetry)
	}
}

// caller is the context of who publishes.
func (i *instruments) caller() context.Context {
	if i.traces == nil {
		return context.Background()
	}
	var flags trace.TraceFlags
	if i.kind == Sampled {
		flags = trace.FlagsSampled
	}
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags,
	}))
}

func (i *instruments) collect(reader sdkmetric.Reader) {
	defer close(i.collected)
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		var data metricdata.ResourceMetrics
		_ = reader.Collect(context.Background(), &data)
		select {
		case <-tick.C:
		case <-i.stopped:
			return
		}
	}
}

func (i *instruments) close() error {
	if i.telemetry == nil {
		return nil
	}
	close(i.stopped)
	<-i.collected
	err := errors.Join(i.telemetry.Close(), i.meters.Shutdown(context.Background()))
	if i.traces != nil {
		err = errors.Join(err, i.traces.Shutdown(context.Background()))
	}
	if err != nil {
		return fmt.Errorf("end telemetry: %w", err)
	}
	return nil
}

// nowhere takes spans and drops them.
type nowhere struct{}

func (nowhere) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (nowhere) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (nowhere) Shutdown(context.Context) error                  { return nil }
func (nowhere) ForceFlush(context.Context) error                { return nil }
