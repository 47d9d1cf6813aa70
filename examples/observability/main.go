// Command observability runs a small shop on notify and shows what it tells
// OpenTelemetry: it serves its metrics for Prometheus on loopback, prints what a
// scrape finds, and sends metrics and traces by OTLP if it is told where to:
//
//	go run ./examples/observability
//	go run ./examples/observability -serve -addr 127.0.0.1:9464
//	go run ./examples/observability -otlp http://127.0.0.1:4318
//
// dashboard.json is a dashboard of these metrics that Grafana imports.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// options are the flags.
type options struct {
	addr   string
	otlp   string
	orders int
	serve  bool
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "127.0.0.1:0", "serve /metrics on `HOST:PORT`; port 0 is any that is free")
	flag.StringVar(&o.otlp, "otlp", "", "send metrics and traces by OTLP over HTTP to the `URL` of a collector, such as http://127.0.0.1:4318")
	flag.IntVar(&o.orders, "orders", 200, "how many orders there are")
	flag.BoolVar(&o.serve, "serve", false, "go on with orders and serve until interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "observability:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t, err := openTelemetry(ctx, o.otlp)
	if err != nil {
		return err
	}
	// Last of all: what the shop does until it is closed is told too.
	defer func() { err = errors.Join(err, t.shutdown()) }()
	page, err := serve(o.addr, t.handler())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, page.close()) }()
	_, _ = fmt.Fprintf(out, "metrics    %s\n", page.url)

	s, err := open(ctx, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for n := 1; n <= o.orders || o.serve; n++ {
		if err := s.order(ctx, n); err != nil {
			if ctx.Err() != nil {
				break // interrupted
			}
			return err
		}
		if o.serve {
			pause(ctx, 100*time.Millisecond)
		}
	}
	if o.serve {
		return nil
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return printScrape(ctx, out, page.url)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
