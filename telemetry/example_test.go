package telemetry_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/telemetry"
)

// A program has a MeterProvider and a TracerProvider already, with the exporters
// that it wants. Here they keep what they get.
func Example() {
	var durations telemetry.Durations
	reader := sdkmetric.NewManualReader(sdkmetric.WithProducer(&durations))
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	spans := tracetest.NewInMemoryExporter()
	traces := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))

	n, err := notify.New(notify.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	notify.Use(n, takes{}) // a provider of e-mail
	notify.On(n, "views", func(context.Context, notify.Event[notify.Sent]) error { return nil })
	n.Attach(telemetry.New(telemetry.Config{MeterProvider: meters, TracerProvider: traces, Durations: &durations}))

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	id, err := n.Send(ctx, notify.Notification{
		To:      notify.Recipient{Addresses: map[notify.Channel]string{notify.EmailChannel: "ann@example.com"}},
		Content: notify.Content{Title: "Shipped", Body: "Your order is on its way."},
		Route:   notify.First(notify.EmailChannel),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := n.Wait(ctx, id); err != nil {
		fmt.Println(err)
		return
	}
	if err := n.Close(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-ended)

	var data metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &data); err != nil {
		fmt.Println(err)
		return
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if counted, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == "messaging.client.consumed.messages" {
				observer, _ := counted.DataPoints[0].Attributes.Value("notify.observer")
				fmt.Println(m.Name, observer.AsString(), counted.DataPoints[0].Value)
			}
		}
	}
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name, s.SpanKind)
	}
	// Unordered output:
	// <nil>
	// messaging.client.consumed.messages views 1
	// send notify.route producer
	// process notify.route consumer
	// call smtp client
	// process notify.deliver.email.normal consumer
	// process notify.events consumer
}
