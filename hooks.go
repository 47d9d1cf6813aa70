package notify

import (
	"context"
	"errors"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Hooks look into a Notifier's work: package telemetry makes OpenTelemetry's
// metrics and traces of them. A hook that is nil costs nothing. They are called
// where the work is done, by many goroutines at once, so they must return soon,
// and never panic. None of them is ever given content, an address or the text of
// an error.
type Hooks struct {
	// Caller returns the W3C Trace Context of the span that the context of Emit is
	// in, or nothing. It goes into the event.
	Caller func(ctx context.Context) (parent, state string)
	// Begin is called when something begins that may be a span: for each Send, and
	// else only if a trace context says that its trace is sampled (W3C Trace Context,
	// section 3.2.2.5.1).
	Begin func(ctx context.Context, s Span) Begun
	// Remote returns a context that holds the given trace context and nothing else.
	// Where a trace is not sampled, the contexts of steps, providers and handlers
	// take values that they do not have from it. It is called only when such a
	// value is asked for.
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
	// that of what is consumed, or of the cause, or that of [WithTrace].
	TraceParent, TraceState string
}

// Begun is a span that [Hooks.Begin] has begun. The zero Begun is no span.
type Begun struct {
	// Context is that of what is done within it; nil leaves it as it was.
	Context context.Context
	// TraceParent and TraceState, if not empty, are the W3C Trace Context of what is
	// sent or emitted.
	TraceParent, TraceState string
	// End, if not nil, is called once when it is over: with "", or with the
	// failure's class, from a short closed list.
	End func(failure string)
}

func (b *Begun) within(ctx context.Context) context.Context {
	if b.Context != nil {
		return b.Context
	}
	return ctx
}

func (b *Begun) end(failure string) {
	if b.End != nil {
		b.End(failure)
	}
}

// during does something within the span, which ends with it, also by a panic.
func (b *Begun) during(ctx context.Context, do func(ctx context.Context) error) (err error) {
	failure := failurePanic
	defer func() { b.end(failure) }()
	err = do(b.within(ctx))
	failure = failureClass(err)
	return err
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

// Hook sets the hooks, and tells whether it has. It is called once at most, before
// Run; its problems come from Ready, Run and Send.
func (n *Notifier) Hook(h Hooks) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.refuseLocked("Hook"):
		return false
	case n.hooks.Load() != nil:
		n.problemLocked("Hook", "was called before: a Notifier has one set of hooks")
		return false
	}
	n.hooks.Store(&h)
	return true
}

// goOn begins the span of something that goes on with a trace, if that is sampled.
// Otherwise the context has that trace to be found.
func (h *Hooks) goOn(ctx context.Context, s Span) Begun {
	switch {
	case h == nil || s.TraceParent == "":
		return Begun{}
	case h.Begin != nil && sampled(s.TraceParent):
		return h.Begin(ctx, s)
	case h.Remote != nil:
		return Begun{Context: &remoteContext{ctx, h, s.TraceParent, s.TraceState}}
	}
	return Begun{}
}

// remoteContext has a trace context that is made when somebody looks for it.
type remoteContext struct {
	context.Context
	hooks         *Hooks
	parent, state string
}

// Value implements [context.Context].
func (c *remoteContext) Value(key any) any {
	if found := c.Context.Value(key); found != nil {
		return found
	}
	return c.hooks.remote(key, c.parent, c.state)
}

// remote looks for a value in a trace context.
func (h *Hooks) remote(key any, parent, state string) any {
	if h == nil || h.Remote == nil || parent == "" {
		return nil
	}
	if _, ours := key.(traceKey); ours {
		return nil
	}
	return h.Remote(parent, state).Value(key)
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
	case err == nil, errors.Is(err, backend.ErrConflict): // somebody was faster: it is decided anew
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
