package telemetry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/telemetry"
)

// Nothing secret is in any span or metric: not the recipient, an address, content,
// data, labels, a provider's code or message ID, or the text of an error.
func TestCanaries(t *testing.T) {
	t.Parallel()
	const canary = "c4n4ry"
	r := always(t, options{
		config: telemetry.Config{MaxTenants: 3},
		register: func(n *notify.Notifier) {
			once := func(o *notify.Observer) { o.Retry.Attempts = 1 }
			notify.On(n, "fails", func(context.Context, notify.Event[notify.Sent]) error { return errors.New(canary) }, once)
			notify.On(n, "panics", func(context.Context, notify.Event[notify.Settled]) error { panic(canary) }, once)
			n.Guard("wary", func(context.Context, notify.GuardRequest) (notify.Decision, error) {
				return notify.Allow(), nil
			})
		},
	})
	nt := notify.Notification{
		To: notify.Recipient{ID: canary + "-recipient", Addresses: map[notify.Channel]string{notify.EmailChannel: canary + "@example.com"}},
		Content: notify.Content{
			Title: canary + " title", Body: canary + " body",
		},
		Data:   map[string]any{"code": canary},
		Labels: map[string]string{"order": canary},
		Route:  notify.First(notify.EmailChannel),
		Tenant: "shop", Category: canary + "-category",
	}
	r.mail.Next(
		notifytest.Fail(&notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: canary, Err: errors.New(canary)}),
		notifytest.PlainError(canary),
	)
	r.settle(t, t.Context(), nt)
	r.mail.Always(notifytest.SucceedWith(notify.Receipt{MessageID: canary, Code: canary, Cost: notify.Cost{Micros: 1, Currency: canary}}))
	r.settle(t, t.Context(), nt)
	r.mail.Always(notifytest.FailPermanently(notify.ClassAddress, canary))
	r.settle(t, t.Context(), nt)
	_, err := r.Send(t.Context(), notify.Notification{To: nt.To, Route: nt.Route, Content: notify.Content{Title: canary + "\x00"}})
	require.Error(t, err)

	var data metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(t.Context(), &data))
	all := r.ended(t)
	require.NotEmpty(t, all)
	sinks := []string{fmt.Sprintf("%+v", data)}
	stubs, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(all))
	require.NoError(t, err)
	for name, points := range r.collect(t) {
		sinks = append(sinks, fmt.Sprintf("%s %+v", name, points))
	}
	sinks = append(sinks, string(stubs))
	for _, sink := range sinks {
		require.False(t, strings.Contains(sink, canary), "%s", sink)
	}
	// It would be found: the tenant, which is asked for, is.
	require.Contains(t, strings.Join(sinks, " "), "shop")
	require.Contains(t, string(stubs), "error.type")
}
