package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

func TestOperating(t *testing.T) {
	t.Parallel()
	s := openService(t, io.Discard, "-backend", "memory")
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	require.Equal(t, "sent", c.await(c.send("ann@example.com", "")))

	healthy := c.do(http.MethodGet, "/healthz", "")
	require.Equal(t, http.StatusOK, healthy.status)
	require.JSONEq(t, `{"status": "ok"}`, healthy.body)

	metrics := c.do(http.MethodGet, "/metrics", "")
	require.Equal(t, http.StatusOK, metrics.status)
	require.Contains(t, metrics.body, `notify_events_total{notify_channel="email",notify_event="sent",notify_provider="console"} 1`+"\n")
	require.Contains(t, metrics.body, `notify_observer_lag{notify_observer="timeline"}`)
	require.Contains(t, metrics.body, "messaging_process_duration_seconds_bucket{")

	var graph struct {
		Backend   string
		Observers []struct{ Name string }
	}
	c.do(http.MethodGet, "/v1/topology", "").decode(t, &graph)
	require.Equal(t, "*memory.Backend", graph.Backend)
	require.Equal(t, "timeline", graph.Observers[0].Name)
	for _, diagram := range []answer{
		c.do(http.MethodGet, "/v1/topology.mmd", ""),
		c.do(http.MethodGet, "/v1/topology", "", "Accept", "application/vnd.mermaid, */*;q=0.1"),
	} {
		require.Equal(t, "application/vnd.mermaid; charset=utf-8", diagram.header.Get("Content-Type"))
		require.Contains(t, diagram.body, `[["timeline"]]`)
	}
}

// A service whose Notifier has ended is not ready, and says when to come again.
func TestNotReady(t *testing.T) {
	t.Parallel()
	s := openService(t, io.Discard, "-backend", "memory")
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	id := c.send("ann@example.com", "")
	require.NoError(t, s.notifier.Close(t.Context()))
	for _, got := range []answer{
		c.do(http.MethodGet, "/healthz", ""),
		c.do(http.MethodPost, "/v1/send", mailTo("ann@example.com"), "Content-Type", "application/json"),
		c.do(http.MethodDelete, "/v1/notifications/"+id, ""),
	} {
		requireProblem(t, got, unavailable)
		require.Equal(t, "5", got.header.Get("Retry-After"))
	}
}

// Events carry the trace of the request that caused them, if it is one.
func TestTrace(t *testing.T) {
	t.Parallel()
	s := openService(t, io.Discard, "-backend", "memory")
	seen := make(chan notify.Envelope, 10)
	notify.On(s.notifier, "traces", func(_ context.Context, e notify.Event[notify.Accepted]) error {
		seen <- e.Envelope
		return nil
	})
	require.NoError(t, s.notifier.Ready(t.Context()))
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for given, want := range map[string]string{parent: parent, "canary": "", strings.ToUpper(parent): "", parent + "-x": ""} {
		c.do(http.MethodPost, "/v1/send", mailTo("ann@example.com"), "Content-Type", "application/json", "Traceparent", given, "Tracestate", "a=b").id(t)
		got := <-seen
		require.Equal(t, want, got.TraceParent)
		require.Equal(t, want != "", got.TraceState == "a=b")
	}
}

// A request that is repeated while the first is under way gets the same answer.
func TestOneKeyAtOnce(t *testing.T) {
	t.Parallel()
	box := openMailbox(t)
	s := openService(t, io.Discard, "-backend", "memory", "-smtp", box.addr)
	c := newClient(t, serveWith(t, newServer(s.handler(), s.log)))
	ids := make([]string, 64)
	each(t, len(ids), func(i int) { ids[i] = c.send("ann@example.com", "order 17") })
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}
	require.Equal(t, "sent", c.await(ids[0]))
	require.Equal(t, 1, box.count("ann@example.com"))
}
