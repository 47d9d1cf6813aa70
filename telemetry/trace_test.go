package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/notifytest"
	"github.com/seed-6c01d079/notify/telemetry"
)

type spans []sdktrace.ReadOnlySpan

// ended waits until nothing is under way, and returns the spans.
func (r *rig) ended(t testing.TB) spans {
	t.Helper()
	r.stop()
	require.Len(t, r.spans.Ended(), len(r.spans.Started()), "every span has ended")
	return r.spans.Ended()
}

func (all spans) named(name string) spans {
	var found spans
	for _, s := range all {
		if s.Name() == name {
			found = append(found, s)
		}
	}
	return found
}

func (all spans) one(t testing.TB, name string) sdktrace.ReadOnlySpan {
	t.Helper()
	found := all.named(name)
	require.Len(t, found, 1, name)
	return found[0]
}

func attributesOf(s sdktrace.ReadOnlySpan) map[string]string {
	all := map[string]string{}
	for _, kv := range s.Attributes() {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

func always(t *testing.T, o options) *rig {
	t.Helper()
	o.sampler = sdktrace.ParentBased(sdktrace.AlwaysSample())
	return start(t, o)
}

func TestOneTraceFromSendToEveryObserver(t *testing.T) {
	t.Parallel()
	seen := make(chan trace.SpanContext, 1)
	r := always(t, options{register: func(n *notify.Notifier) {
		for _, name := range []string{"views", "cache"} {
			notify.On(n, name, func(context.Context, notify.Event[notify.Sent]) error { return nil })
		}
		notify.On(n, "desk", func(ctx context.Context, e notify.Event[notify.Settled]) error {
			seen <- trace.SpanContextFromContext(ctx)
			return nil
		})
	}})
	id := r.settle(t, t.Context(), order(""))
	in := <-seen
	all := r.ended(t)

	send := all.one(t, "send notify.route")
	require.Equal(t, trace.SpanKindProducer, send.SpanKind())
	require.False(t, send.Parent().IsValid())
	require.Equal(t, map[string]string{
		"messaging.system": "notify", "messaging.operation.name": "send", "messaging.operation.type": "send",
		"messaging.destination.name": "notify.route", "messaging.message.id": id, "messaging.message.conversation_id": id,
	}, attributesOf(send))
	require.Equal(t, "https://opentelemetry.io/schemas/1.43.0", send.InstrumentationScope().SchemaURL)

	route := all.one(t, "process notify.route")
	deliver := all.one(t, "process notify.deliver.email.normal")
	call := all.one(t, "call smtp")
	require.Equal(t, trace.SpanKindClient, call.SpanKind())
	require.Equal(t, deliver.SpanContext().SpanID(), call.Parent().SpanID())
	require.Equal(t, map[string]string{
		"notify.channel": "email", "notify.provider": "smtp", "messaging.message.conversation_id": id,
	}, attributesOf(call))
	require.Equal(t, "notify", attributesOf(route)["messaging.consumer.group.name"])
	require.Equal(t, "email", attributesOf(deliver)["notify.channel"])

	handled := all.named("process notify.events")
	require.Len(t, handled, 3)
	observers := map[string]string{}
	for _, s := range append(spans{route, deliver}, handled...) {
		require.Equal(t, trace.SpanKindConsumer, s.SpanKind())
		require.Equal(t, send.SpanContext().TraceID(), s.SpanContext().TraceID())
		require.Equal(t, send.SpanContext().SpanID(), s.Parent().SpanID())
		require.Len(t, s.Links(), 1)
		require.Equal(t, send.SpanContext().SpanID(), s.Links()[0].SpanContext.SpanID())
		require.Equal(t, send.SpanContext().TraceID(), s.Links()[0].SpanContext.TraceID())
	}
	for _, s := range handled {
		a := attributesOf(s)
		observers[a["notify.observer"]] = a["notify.event"]
		require.Equal(t, "notify."+a["notify.observer"], a["messaging.consumer.group.name"])
		require.Equal(t, "process", a["messaging.operation.type"])
		require.True(t, strings.HasPrefix(a["messaging.message.id"], id))
	}
	require.Equal(t, map[string]string{"views": "sent", "cache": "sent", "desk": "settled"}, observers)
	require.True(t, in.IsSampled())
	require.Equal(t, send.SpanContext().TraceID(), in.TraceID())
	require.NotEqual(t, send.SpanContext().SpanID(), in.SpanID(), "the handler is in its own span")
}

// What a handler sends and emits goes on with its span, through middleware too.
func TestTracesGoOnInHandlers(t *testing.T) {
	t.Parallel()
	pass := func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) { return h(m) }
	}
	type paid struct{ Order string }
	second := make(chan string, 1)
	r := always(t, options{
		notify: notify.Config{Middleware: []message.HandlerMiddleware{pass}},
		register: func(n *notify.Notifier) {
			notify.RegisterEvent[paid](n, "shop.paid.v1")
			notify.On(n, "answers", func(ctx context.Context, e notify.Event[notify.Settled]) error {
				if e.Depth > 0 {
					return nil
				}
				_, err := notify.Emit(ctx, n, paid{Order: "o_1"})
				return err
			})
			notify.On(n, "sends", func(ctx context.Context, e notify.Event[paid]) error {
				nt := order("")
				nt.Key = e.ID
				id, err := n.Send(ctx, nt)
				second <- id
				return err
			})
		},
	})
	r.settle(t, t.Context(), order(""))
	_, err := r.Wait(t.Context(), <-second)
	require.NoError(t, err)
	all := r.ended(t)
	sends := all.named("send notify.route")
	require.Len(t, sends, 2)
	emit := all.one(t, "send notify.events")
	require.Equal(t, "shop.paid", attributesOf(emit)["notify.event"])
	parents := map[trace.SpanID]sdktrace.ReadOnlySpan{}
	for _, s := range all {
		require.Equal(t, sends[0].SpanContext().TraceID(), s.SpanContext().TraceID())
		parents[s.SpanContext().SpanID()] = s
	}
	up := func(s sdktrace.ReadOnlySpan) sdktrace.ReadOnlySpan { return parents[s.Parent().SpanID()] }
	last := sends[1]
	require.Equal(t, "sends", attributesOf(up(last))["notify.observer"])
	require.Equal(t, emit.SpanContext().SpanID(), up(last).Parent().SpanID())
	require.Equal(t, "answers", attributesOf(up(emit))["notify.observer"])
}

func TestFailuresOfSpansAreClasses(t *testing.T) {
	t.Parallel()
	const secret = "ada@example.com says hello"
	r := always(t, options{register: func(n *notify.Notifier) {
		once := func(o *notify.Observer) { o.Retry.Attempts = 1 }
		notify.On(n, "fails", func(context.Context, notify.Event[notify.Sent]) error { return errors.New(secret) }, once)
		notify.On(n, "panics", func(context.Context, notify.Event[notify.Sent]) error { panic(secret) }, once)
		notify.On(n, "late", func(ctx context.Context, _ notify.Event[notify.Sent]) error {
			<-ctx.Done()
			return ctx.Err()
		}, once, func(o *notify.Observer) { o.Timeout = time.Millisecond })
	}})
	r.mail.Next(notifytest.Fail(&notify.SendError{Verdict: notify.VerdictTemporary, Class: notify.ClassNetwork, Err: errors.New(secret)}))
	id := r.settle(t, t.Context(), order(""))
	for _, observer := range []string{"fails", "panics", "late"} {
		require.ErrorIs(t, r.Handled(t.Context(), id, observer), notify.ErrDeadLetter)
	}
	all := r.ended(t)
	classes := map[string]string{}
	for _, s := range all {
		if s.Status().Code == codes.Error {
			a := attributesOf(s)
			classes[a["notify.observer"]+a["notify.provider"]] = a["error.type"]
		}
		require.Empty(t, s.Status().Description)
		require.Empty(t, s.Events())
	}
	require.Equal(t, map[string]string{"fails": "error", "panics": "panic", "late": "timeout", "smtp": "network"}, classes)
}

func TestABatchIsOneSpan(t *testing.T) {
	t.Parallel()
	r := always(t, options{})
	results, err := r.SendBatch(t.Context(), []notify.Notification{order(""), order("")})
	require.NoError(t, err)
	for _, result := range results {
		_, err := r.Wait(t.Context(), result.ID)
		require.NoError(t, err)
	}
	all := r.ended(t)
	send := all.one(t, "send notify.route")
	require.Equal(t, "2", attributesOf(send)["messaging.batch.message_count"])
	require.Len(t, all.named("call smtp"), 2)
	for _, s := range all {
		require.Equal(t, send.SpanContext().TraceID(), s.SpanContext().TraceID())
	}
}

// The caller's span is the parent of Send's, and a trace without a span of ours is
// gone on with.
func TestTraceOfTheCaller(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	r := always(t, options{})
	r.settle(t, notify.WithTrace(t.Context(), parent, "vendor=1"), order(""))
	send := r.ended(t).one(t, "send notify.route")
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", send.SpanContext().TraceID().String())
	require.Equal(t, "00f067aa0ba902b7", send.Parent().SpanID().String())
	require.Equal(t, "vendor=1", send.SpanContext().TraceState().String())
}

func TestSeparateTraces(t *testing.T) {
	t.Parallel()
	r := always(t, options{
		config: telemetry.Config{SeparateTraces: true},
		register: func(n *notify.Notifier) {
			notify.On(n, "views", func(context.Context, notify.Event[notify.Sent]) error { return nil })
		},
	})
	r.settle(t, t.Context(), order(""))
	all := r.ended(t)
	send, handled := all.one(t, "send notify.route"), all.one(t, "process notify.events")
	require.False(t, handled.Parent().IsValid())
	require.NotEqual(t, send.SpanContext().TraceID(), handled.SpanContext().TraceID())
	require.Equal(t, send.SpanContext().SpanID(), handled.Links()[0].SpanContext.SpanID())
	require.Equal(t, send.SpanContext().TraceID(), all.one(t, "call smtp").SpanContext().TraceID())
}

// A trace that is not sampled makes no span anywhere, and its ID still reaches the
// observer, in the event and in the context.
func TestWhatIsNotSampled(t *testing.T) {
	t.Parallel()
	type seen struct {
		envelope string
		context  trace.SpanContext
	}
	got := make(chan seen, 1)
	r := start(t, options{
		sampler: sdktrace.ParentBased(sdktrace.NeverSample()),
		register: func(n *notify.Notifier) {
			notify.On(n, "views", func(ctx context.Context, e notify.Event[notify.Settled]) error {
				got <- seen{e.TraceParent, trace.SpanContextFromContext(ctx)}
				return nil
			})
		},
	})
	r.settle(t, t.Context(), order(""))
	s := <-got
	require.Regexp(t, `^00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]$`, s.envelope)
	require.True(t, s.context.IsValid())
	require.True(t, s.context.IsRemote())
	require.False(t, s.context.IsSampled())
	require.Equal(t, strings.Split(s.envelope, "-")[1], s.context.TraceID().String())
	require.Empty(t, r.ended(t))
}

// Emit begins no trace, and carries on with one that is there.
func TestTraceOfEmit(t *testing.T) {
	t.Parallel()
	type paid struct{ Order string }
	got := make(chan string, 1)
	r := always(t, options{register: func(n *notify.Notifier) {
		notify.RegisterEvent[paid](n, "shop.paid.v1")
		notify.On(n, "views", func(_ context.Context, e notify.Event[paid]) error {
			got <- e.TraceParent
			return nil
		})
	}})
	emit := func(ctx context.Context, options ...func(*notify.Envelope)) string {
		_, err := notify.Emit(ctx, r.Notifier, paid{Order: "o_1"}, options...)
		require.NoError(t, err)
		return <-got
	}
	with := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags,
		}))
	}
	require.Empty(t, emit(t.Context()))
	require.Equal(t, "00-01000000000000000000000000000000-0200000000000000-00", emit(with(0)))
	require.Regexp(t, "^00-01000000000000000000000000000000-[0-9a-f]{16}-0[13]$", emit(with(trace.FlagsSampled)))
	own := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	require.Equal(t, own, emit(with(trace.FlagsSampled), func(e *notify.Envelope) { e.TraceParent = own }))
	all := r.ended(t)
	require.Len(t, all.named("send notify.events"), 1)
	require.Len(t, all.named("process notify.events"), 1)
}

func TestOnlyOneTelemetry(t *testing.T) {
	t.Parallel()
	r := always(t, options{})
	other, err := notify.New(notify.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close(context.Background())) }()
	other.Attach(r.telemetry)
	require.ErrorContains(t, other.Run(t.Context()), "attached already")
}
