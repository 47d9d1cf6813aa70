package telemetry

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The header is what OpenTelemetry's propagator writes, and reads.
func TestTraceParentIsThePropagators(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		c := trace.SpanContextConfig{TraceFlags: trace.TraceFlags(i)}
		for j := range c.TraceID {
			c.TraceID[j] = byte(r.Uint32())
		}
		for j := range c.SpanID {
			c.SpanID[j] = byte(r.Uint32())
		}
		sc := trace.NewSpanContext(c)
		var theirs carrier
		propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), sc), &theirs)
		require.Equal(t, theirs.parent, traceParent(sc))
		require.Equal(t, sc.TraceID(), spanContext(theirs.parent, "").TraceID())
		require.Equal(t, sc.IsSampled(), spanContext(theirs.parent, "").IsSampled())
	}
	require.Empty(t, traceParent(trace.SpanContext{}))
}
