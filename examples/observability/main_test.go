package main

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out strings.Builder
	require.NoError(t, run(ctx, &out, options{addr: "127.0.0.1:0", orders: 60}))
	text := out.String()
	for _, want := range []string{
		"metrics    http://127.0.0.1:",
		`notify_events_total{notify_channel="sms",notify_event="sent",notify_provider="text",notify_tenant="_other"} 4`,
		`notify_observer_dead_letters_total{notify_observer="accounting"} 16`,
		`notify_observer_lag{notify_observer="crm"} 0`,
		`notify_provider_cost_total{notify_channel="sms",notify_currency="EUR",notify_provider="text",notify_tenant="north"} 0.18`,
		"done       ",
	} {
		require.Contains(t, text, want)
	}
	for _, secret := range []string{"ann@", "+4915", "u_1", "is on its way", "CRM is busy", "no price"} {
		require.NotContains(t, text, secret)
	}
}

func TestRunSaysThatTheAddressIsTaken(t *testing.T) {
	p, err := serve("127.0.0.1:0", http.NotFoundHandler())
	require.NoError(t, err)
	defer func() { require.NoError(t, p.close()) }()
	addr := strings.TrimSuffix(strings.TrimPrefix(p.url, "http://"), "/metrics")
	require.ErrorContains(t, run(t.Context(), &strings.Builder{}, options{addr: addr}), "serve the metrics")
}

// Interrupted, it ends as it should.
func TestServeUntilInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &watched{line: make(chan string, 100)}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, out, options{addr: "127.0.0.1:0", serve: true}) }()
	url := strings.TrimSpace(strings.TrimPrefix(<-out.line, "metrics"))
	require.Eventually(t, func() bool {
		text, err := scrape(t.Context(), url)
		return err == nil && strings.Contains(text, `notify_event="settled"`)
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
}

// watched passes on what is written.
type watched struct{ line chan string }

func (w *watched) Write(p []byte) (int, error) {
	w.line <- string(p)
	return len(p), nil
}
