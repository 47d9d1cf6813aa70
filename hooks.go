package notify

import (
	"context"
	"errors"
	"time"
)

// Hooks look into a Notifier's work: package telemetry makes OpenTelemetry's
// metrics and traces of them. A hook that is nil costs nothing. They are called
// where the work is done, by many goroutines at once, so they must return soon,
// and never panic. None of them is ever given content, an address or the text of
// an error.
type Hooks struct {
	// Begin is called when something begins, and end when it is over: with "" or
	// the class of the failure. The context that Begin returns is that of the work
	// meanwhile; what [WithTrace] put into it is the trace context of what is sent
	// and raised there. end may be nil: then
	// nothing began.
	//
	// It is called for what begins a trace, or may: each Send and Emit; and for what
	// goes on with one: each step and call of a notification that has a trace
	// context, but the handling of an event only if its trace is sampled.
	Begin func(ctx context.Context, s Span) (inside context.Context, end func(failure string))
	// Remote returns a context that has a trace context and nothing else. Where the
	// trace is not sampled, it is what a handler finds in its context.
	Remote func(parent, state string) context.Context
	// Raised is called once for each event of a notification, by the process that
	// stored it, when it is stored: however often it is published or handled. Without
	// records ([NoRecords]) a step that is done again calls it again. What [Emit]
	// raises, and events about the machinery, are not among them.
	Raised func(e Event[any])
	// Called is called after each call of a provider.
	Called func(c ProviderCall)
}

// Operation is what a [Span] is about.
type Operation string

// The operations.
const (
	OperationSend    Operation = "send"    // Send, SendBatch and SendTx, after the input was checked
	OperationEmit    Operation = "emit"    // Emit, when the event is published
	OperationRoute   Operation = "route"   // the route step with one notification
	OperationDeliver Operation = "deliver" // the deliver step with one attempt
	OperationCall    Operation = "call"    // one call of a provider
	OperationHandle  Operation = "handle"  // an observer's handlers with one event
)

// Span is something with a beginning and an end, for [Hooks.Begin]. What does
// not apply is empty.
type Span struct {
	Operation Operation
	// Topic is what it publishes to or consumes from, Group the consumer group.
	Topic, Group string
	// Count is how many notifications are sent, in a SendBatch.
	Count int
	// NotificationID, EventID and EventType say which one it is about.
	NotificationID, EventID, EventType string
	// Observer, Channel and Provider are who does it.
	Observer string
	Channel  Channel
	Provider string
	// TraceParent and TraceState are the W3C Trace Context that it goes on with:
	// that of what is consumed, or that of the cause.
	TraceParent, TraceState string
}

// ProviderCall is one call of a provider.
type ProviderCall struct {
	Channel  Channel
	Provider string
	Took     time.Duration
	// Verdict and Class are empty if it succeeded.
	Verdict Verdict
	Class   FailureClass
}

// Hook sets the hooks. It is called once at most, before Run.
func (n *Notifier) Hook(h Hooks) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.refuseLocked("Hook"):
	case n.hooks.Load() != nil:
		n.problemLocked("Hook", "was called before: a Notifier has one set of hooks")
	default:
		n.hooks.Store(&h)
	}
}

// begin begins a span, if there is a hook. end is never nil.
func (h *Hooks) begin(ctx context.Context, s Span) (inside context.Context, end func(failure string)) {
	if h != nil && h.Begin != nil {
		if inside, end = h.Begin(ctx, s); end != nil {
			return inside, end
		}
		return inside, func(string) {}
	}
	return ctx, func(string) {}
}

// traces tells whether there are traces.
func (h *Hooks) traces() bool { return h != nil && h.Begin != nil }

// sampled tells whether whoever made the traceparent has recorded its trace
// (W3C Trace Context, section 3.2.2.5.1).
func sampled(parent string) bool {
	if len(parent) < 55 {
		return false
	}
	switch parent[54] {
	case '1', '3', '5', '7', '9', 'b', 'd', 'f':
		return true
	}
	return false
}

// failurePanic is the class of what did not return.
const failurePanic = string(ObserverPanicked)

// failureClass is the class of what went wrong in Send, in Emit or in a step:
// never the text.
func failureClass(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrOverloaded):
		return "overloaded"
	case errors.Is(err, ErrKeyReused):
		return "key_reused"
	case errors.Is(err, ErrClosed):
		return "closed"
	case errors.Is(err, ErrTooLarge), len(FieldErrors(err)) > 0:
		return "invalid"
	case errors.Is(err, ErrUnsupported):
		return "unsupported"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "backend"
	}
}
