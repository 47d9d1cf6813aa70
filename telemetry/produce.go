package telemetry

import (
	"context"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/seed-6c01d079/notify"
)

// Durations add messaging.process.duration, the histogram of what observers took,
// to the readers of OpenTelemetry's SDK that are made with it:
//
//	var durations telemetry.Durations
//	reader, err := prometheus.New(prometheus.WithProducer(&durations))
//	meters := metric.NewMeterProvider(metric.WithReader(reader))
//	n.Attach(telemetry.New(telemetry.Config{MeterProvider: meters, Durations: &durations}))
//
// The bus keeps that histogram anyway ([notify.CallStats.Within]), so that it costs
// an event nothing more, unlike any instrument. It is cumulative, whatever the
// reader prefers, and views do not apply. A call that took within an eighth of a
// bound may be counted on either side of it; calls that were fast are timed
// together, and count with their mean.
//
// The zero value is ready, for one Telemetry. It is safe for concurrent use.
type Durations struct {
	mu       sync.Mutex // guards the following
	notifier *notify.Notifier
	since    time.Time
}

var _ sdk.Producer = (*Durations)(nil)

// of has it tell of a Notifier; false if it tells of another.
func (d *Durations) of(n *notify.Notifier) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.notifier != nil && n != nil {
		return false
	}
	d.notifier, d.since = n, time.Now()
	return true
}

// Produce implements the SDK's Producer.
func (d *Durations) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	d.mu.Lock()
	n, since := d.notifier, d.since
	d.mu.Unlock()
	if n == nil {
		return nil, nil
	}
	now := time.Now()
	data := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	withoutLag, done := context.WithCancel(ctx)
	done() // the metrics have asked the backend
	stats := n.Stats(withoutLag)
	for _, s := range append(stats.Observers, stats.Detached...) {
		p := durationsOf(&s)
		p.StartTime, p.Time = since, now
		data.DataPoints = append(data.DataPoints, p)
	}
	if len(data.DataPoints) == 0 {
		return nil, nil
	}
	var named messagingconv.ProcessDuration
	return []metricdata.ScopeMetrics{{
		Scope: instrumentation.Scope{Name: scope, SchemaURL: semconv.SchemaURL},
		Metrics: []metricdata.Metrics{{
			Name: named.Name(), Description: named.Description(), Unit: named.Unit(), Data: data,
		}},
	}}, nil
}

func durationsOf(s *notify.ObserverStats) metricdata.HistogramDataPoint[float64] {
	p := metricdata.HistogramDataPoint[float64]{
		Attributes: processed(s.Name), Count: uint64(s.Within(math.MaxInt64)), Sum: s.Total.Seconds(),
		Bounds: processBounds, BucketCounts: make([]uint64, len(processBounds)+1),
	}
	var below uint64
	for i, bound := range processBounds {
		within := uint64(s.Within(time.Duration(bound * float64(time.Second))))
		p.BucketCounts[i] = within - below
		below = within
	}
	p.BucketCounts[len(processBounds)] = p.Count - below
	return p
}
