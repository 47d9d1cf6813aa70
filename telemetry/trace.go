package telemetry

import (
	"context"
	"encoding/hex"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-6c01d079/notify"
)

// begin is the hook for spans.
func (t *Telemetry) begin(ctx context.Context, s notify.Span) notify.Begun {
	switch s.Operation {
	case notify.OperationSend, notify.OperationEmit:
		return t.produce(ctx, &s)
	case notify.OperationCall:
		return t.start(ctx, "call "+s.Provider, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(callAttributes(&s)...))
	default:
		return t.consume(ctx, &s)
	}
}

// produce begins the span of what is sent. The trace of a caller that has no span
// is what [notify.WithTrace] says.
func (t *Telemetry) produce(ctx context.Context, s *notify.Span) notify.Begun {
	parent := trace.SpanContextFromContext(ctx)
	if !parent.IsValid() && s.TraceParent != "" {
		if parent = spanContext(s.TraceParent, s.TraceState); parent.IsValid() {
			ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
		}
	}
	if s.Operation == notify.OperationEmit && !parent.IsSampled() {
		if !parent.IsValid() {
			return notify.Begun{}
		}
		text := t.latest(parent)
		return notify.Begun{TraceParent: text.parent, TraceState: text.state}
	}
	begun := t.start(ctx, "send "+s.Topic, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(messageAttributes(s,
		semconv.MessagingOperationName("send"), semconv.MessagingOperationTypeSend)...))
	own := trace.SpanContextFromContext(begun.Context)
	begun.TraceParent, begun.TraceState = traceParent(own), own.TraceState().String()
	return begun
}

// latest is the trace context as it travels. What a caller emits in one trace shares
// one text.
func (t *Telemetry) latest(sc trace.SpanContext) *traceText {
	if known := t.text.Load(); known != nil && known.of.Equal(sc) {
		return known
	}
	text := &traceText{of: sc, carrier: carrier{traceParent(sc), sc.TraceState().String()}}
	t.text.Store(text)
	return text
}

type traceText struct {
	carrier
	of trace.SpanContext
}

// consume begins the span of what is processed, linked to where that came from.
func (t *Telemetry) consume(ctx context.Context, s *notify.Span) notify.Begun {
	created := spanContext(s.TraceParent, s.TraceState)
	if !created.IsSampled() {
		return notify.Begun{}
	}
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: created}),
		trace.WithAttributes(messageAttributes(s, semconv.MessagingOperationName("process"), semconv.MessagingOperationTypeProcess)...),
	}
	if s.Operation == notify.OperationHandle && t.config.SeparateTraces {
		options = append(options, trace.WithNewRoot())
	}
	return t.start(trace.ContextWithRemoteSpanContext(ctx, created), "process "+s.Topic, options...)
}

func (t *Telemetry) start(ctx context.Context, name string, options ...trace.SpanStartOption) notify.Begun {
	ctx, span := t.tracer.Start(ctx, name, options...)
	if !span.IsRecording() {
		return notify.Begun{Context: ctx}
	}
	return notify.Begun{Context: ctx, End: func(failure string) {
		if failure != "" {
			span.SetStatus(codes.Error, "")
			span.SetAttributes(semconv.ErrorTypeKey.String(failure))
		}
		span.End()
	}}
}

// remote is the hook for what was not sampled.
func remote(parent, state string) context.Context {
	sc := spanContext(parent, state)
	if !sc.IsValid() {
		return context.Background()
	}
	return trace.ContextWithRemoteSpanContext(context.Background(), sc)
}

// traceParent is the header of that name (W3C Trace Context, section 3.2), as
// propagation.TraceContext writes it, or empty.
func traceParent(sc trace.SpanContext) string {
	if !sc.IsValid() {
		return ""
	}
	trace, span := sc.TraceID(), sc.SpanID()
	var b [55]byte
	copy(b[:], "00-")
	hex.Encode(b[3:], trace[:])
	b[35] = '-'
	hex.Encode(b[36:], span[:])
	b[52], b[53], b[54] = '-', '0', '0'+byte(sc.TraceFlags()&known)
	return string(b[:])
}

// known are the flags that propagation.TraceContext passes on.
const known = trace.FlagsSampled | trace.FlagsRandom

// spanContext reads a W3C Trace Context; it is invalid if that is not well formed.
func spanContext(parent, state string) trace.SpanContext {
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), &carrier{parent, state}))
}

// carrier holds the two headers of a W3C Trace Context.
type carrier struct{ parent, state string }

var _ propagation.TextMapCarrier = (*carrier)(nil)

func (c *carrier) Get(key string) string {
	switch key {
	case "traceparent":
		return c.parent
	case "tracestate":
		return c.state
	}
	return ""
}

func (c *carrier) Set(key, value string) {
	switch key {
	case "traceparent":
		c.parent = value
	case "tracestate":
		c.state = value
	}
}

func (c *carrier) Keys() []string { return []string{"traceparent", "tracestate"} }

// messageAttributes are those of a span about a message.
func messageAttributes(s *notify.Span, more ...attribute.KeyValue) []attribute.KeyValue {
	all := append(more, system, semconv.MessagingDestinationName(s.Topic))
	add := func(kv attribute.KeyValue) {
		if kv.Value.AsString() != "" {
			all = append(all, kv)
		}
	}
	id := s.EventID
	if id == "" {
		id = s.NotificationID
	}
	add(semconv.MessagingMessageID(id))
	add(semconv.MessagingMessageConversationID(s.NotificationID))
	add(semconv.MessagingConsumerGroupName(s.Group))
	add(attribute.String(keyEvent, eventName(s.EventType)))
	add(attribute.String(keyObserver, s.Observer))
	add(attribute.String(keyChannel, string(s.Channel)))
	if s.Count > 0 {
		all = append(all, semconv.MessagingBatchMessageCount(s.Count))
	}
	return all
}

// callAttributes are those of a provider's call.
func callAttributes(s *notify.Span) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String(keyChannel, string(s.Channel)),
		attribute.String(keyProvider, s.Provider),
		semconv.MessagingMessageConversationID(s.NotificationID),
	}
}
