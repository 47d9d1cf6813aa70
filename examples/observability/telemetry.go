package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed-6c01d079/notify/telemetry"
)

// observed is the set-up of OpenTelemetry, as a program has it once.
type observed struct {
	registry  *prometheus.Registry
	durations telemetry.Durations
	meters    *sdkmetric.MeterProvider
	traces    *sdktrace.TracerProvider // nil: nobody gets traces
}

// openTelemetry sets it up: metrics for Prometheus, and if collector is the URL of
// one, metrics and traces by OTLP.
func openTelemetry(ctx context.Context, collector string) (*observed, error) {
	o := &observed{registry: prometheus.NewRegistry()}
	scraped, err := otelprometheus.New(otelprometheus.WithRegisterer(o.registry), otelprometheus.WithProducer(&o.durations))
	if err != nil {
		return nil, fmt.Errorf("make the exporter for Prometheus: %w", err)
	}
	service := resource.NewSchemaless(semconv.ServiceName("shop"))
	meters := []sdkmetric.Option{sdkmetric.WithResource(service), sdkmetric.WithReader(scraped)}
	if collector != "" {
		exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpointURL(collector+"/v1/metrics"))
		if err != nil {
			return nil, fmt.Errorf("make the exporter of metrics: %w", err)
		}
		meters = append(meters, sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(&o.durations))))
		spans, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(collector+"/v1/traces"))
		if err != nil {
			return nil, fmt.Errorf("make the exporter of traces: %w", err)
		}
		// An example has few orders. A program that sends much samples some:
		// sdktrace.ParentBased(sdktrace.TraceIDRatioBased(0.01)).
		o.traces = sdktrace.NewTracerProvider(
			sdktrace.WithResource(service), sdktrace.WithBatcher(spans), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())),
		)
	}
	o.meters = sdkmetric.NewMeterProvider(meters...)
	return o, nil
}

// config is what notify needs to know of it.
func (o *observed) config() telemetry.Config {
	c := telemetry.Config{
		MeterProvider: o.meters,
		Durations:     &o.durations,
		Tenants:       []string{"north", "south"},
		// What the machine costs that the observers run on, in millionths.
		ObserverPrice: func(string) telemetry.Price { return telemetry.Price{PerSecond: 30, Currency: "EUR"} },
	}
	if o.traces != nil {
		c.TracerProvider = o.traces
	}
	return c
}

// handler serves what Prometheus scrapes.
func (o *observed) handler() http.Handler {
	return promhttp.HandlerFor(o.registry, promhttp.HandlerOpts{})
}

// shutdown sends what has not been sent.
func (o *observed) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := o.meters.Shutdown(ctx)
	if o.traces != nil {
		err = errors.Join(err, o.traces.Shutdown(ctx))
	}
	if err != nil {
		return fmt.Errorf("send the last of the telemetry: %w", err)
	}
	return nil
}
