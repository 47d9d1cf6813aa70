package main

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector takes what is sent by OTLP over HTTP, and knows what was in it.
type collector struct {
	mu      sync.Mutex // guards the following
	metrics map[string]bool
	spans   map[string]int
	traces  map[string]map[string]bool // span names by trace
	raw     []string
	errs    []error
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.take(r); err != nil {
		c.errs = append(c.errs, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *collector) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c.raw = append(c.raw, string(data))
	switch r.URL.Path {
	case "/v1/metrics":
		var request metricspb.ExportMetricsServiceRequest
		if err := proto.Unmarshal(data, &request); err != nil {
			return err
		}
		for _, resource := range request.ResourceMetrics {
			for _, scope := range resource.ScopeMetrics {
				for _, m := range scope.Metrics {
					c.metrics[m.Name] = true
				}
			}
		}
	case "/v1/traces":
		var request tracepb.ExportTraceServiceRequest
		if err := proto.Unmarshal(data, &request); err != nil {
			return err
		}
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, s := range scope.Spans {
					c.spans[s.Name]++
					id := string(s.TraceId)
					if c.traces[id] == nil {
						c.traces[id] = map[string]bool{}
					}
					c.traces[id][s.Name] = true
				}
			}
		}
	}
	return nil
}

func TestOTLP(t *testing.T) {
	c := &collector{metrics: map[string]bool{}, spans: map[string]int{}, traces: map[string]map[string]bool{}}
	server := httptest.NewServer(c)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const orders = 20
	require.NoError(t, run(ctx, io.Discard, options{addr: "127.0.0.1:0", otlp: server.URL, orders: orders}))

	c.mu.Lock()
	defer c.mu.Unlock()
	require.Empty(t, c.errs)
	for _, name := range []string{
		"messaging.client.consumed.messages", "messaging.process.duration", "notify.events", "notify.provider.duration",
		"notify.provider.cost", "notify.observer.cost", "notify.settle.duration",
	} {
		require.True(t, c.metrics[name], name)
	}
	require.Equal(t, orders, c.spans["send notify.route"])
	require.Len(t, c.traces, orders, "a trace for each order")
	for _, names := range c.traces {
		for _, name := range []string{"send notify.route", "process notify.route", "process notify.events"} {
			require.True(t, names[name], name)
		}
		require.True(t, names["call mail"] || names["call text"])
	}
	sink := strings.Join(c.raw, "")
	require.Contains(t, sink, "accounting", "it would be found")
	for _, secret := range []string{"ann@", "+4915", "u_1", "is on its way", "CRM is busy", "no price"} {
		require.NotContains(t, sink, secret)
	}
}
