package notify

import "context"

type traceKey struct{}

type trace struct{ parent, state string }

// WithTrace returns a context whose Send and Emit carry a W3C Trace Context
// (Level 1, section 3): the values of the headers traceparent and tracestate.
// They appear in every event that follows. Where package telemetry traces, the span
// that ctx is in goes first.
func WithTrace(ctx context.Context, parent, state string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace{clip(parent, 128), clip(state, 512)})
}

func traceOf(ctx context.Context) (parent, state string) {
	t, _ := ctx.Value(traceKey{}).(trace)
	return t.parent, t.state
}
