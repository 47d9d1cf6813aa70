package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-6c01d079/notify/telemetry"
)

// metrics is what Prometheus collects: see package telemetry for what there is of
// the Notifier.
type metrics struct {
	provider  *metric.MeterProvider
	telemetry *telemetry.Telemetry // for the Notifier
	handler   http.Handler
}

func newMetrics() (*metrics, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	var durations telemetry.Durations
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithProducer(&durations),
		exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("make the exporter of metrics: %w", err)
	}
	m := &metrics{provider: metric.NewMeterProvider(metric.WithReader(reader))}
	m.telemetry = telemetry.New(telemetry.Config{MeterProvider: m.provider, Durations: &durations})
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry})
	return m, nil
}

// close ends collecting. It waits for nothing, since nothing is sent anywhere.
func (m *metrics) close() error { return m.provider.Shutdown(context.Background()) }
