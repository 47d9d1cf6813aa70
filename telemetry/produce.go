package telemetry

import (
	"context"
	"math"
	"time"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"

	"github.com/seed-6c01d079/notify"
)

var _ sdk.Producer = (*Telemetry)(nil)

// Produce implements the Producer of OpenTelemetry's SDK: it adds
// messaging.process.duration, the histogram of what observers took, to a reader
// that was made with it:
//
//	t := telemetry.New(telemetry.Config{...})
//	reader, err := prometheus.New(prometheus.WithProducer(t))
//
// The bus keeps that histogram for itself ([notify.CallStats.Within]), so that it
// costs an event nothing, which no instrument could do. It is cumulative, whatever
// the reader prefers, and views do not apply. A call that took within an eighth of a
// bound may be counted on either side of it; calls that were fast are timed
// together, and count with their mean.
func (t *Telemetry) Produce(ctx context.Context) ([]metricdata.ScopeMetrics, error) {
	t.mu.Lock()
	n := t.notifier
	t.mu.Unlock()
	if n == nil {
		return nil, nil
	}
	now := time.Now()
	data := metricdata.Histogram[float64]{Temporality: metricdata.CumulativeTemporality}
	for _, s := range n.Stats(ctx).Observers {
		data.DataPoints = append(data.DataPoints, t.point(&s, now))
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

func (t *Telemetry) point(s *notify.ObserverStats, now time.Time) metricdata.HistogramDataPoint[float64] {
	p := metricdata.HistogramDataPoint[float64]{
		Attributes: processed(s.Name), StartTime: t.born, Time: now,
		Count: uint64(s.Within(math.MaxInt64)), Sum: s.Total.Seconds(),
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
