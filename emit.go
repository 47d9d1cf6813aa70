package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"time"
)

// RegisterEvent makes a struct of the host's an event, under its type on the
// wire, such as "shop.order_paid.v1": lower-case letters, digits, '-', '_' and
// dots, not beginning with "notify.". Its fields travel as JSON. Call it
// before what observes or emits it; its problems come from Ready, Run and
// Send.
func RegisterEvent[T any](n *Notifier, wireName string) {
	if err := n.codec.register(reflect.TypeFor[T](), wireName); err != nil {
		n.refuse(problems{err})
		return
	}
	var zero T
	if _, err := json.Marshal(zero); err != nil {
		n.problem(fmt.Sprintf("RegisterEvent[%T]", zero), "cannot be written as JSON"+jsonProblem(err))
	}
}

// Emit raises an event of the host's for all observers, and returns its ID.
// When it returns without an error, the backend holds the event, as durably as
// it holds anything. What data points to belongs to the event from then on: do
// not change it.
//
// It takes the library's own events too, for tests of observers. In a program they
// would report what has not happened: they change no record, but timelines, costs
// and webhooks take them for true. What a provider tells later goes to
// [Notifier.Report].
//
// In an observer's handler the event names its cause, the event that is being
// handled, and its ID is derived from the cause's, so that a redelivery raises
// the same event again. It then also takes over the cause's notification,
// recipient, tenant, category, labels and trace. Options may change those
// fields and the ID; Emit sets the type and the time Seen. An observer that
// answers an event at the end of a chain of 32 gets an error, and the event
// becomes its dead letter.
func Emit[T any](ctx context.Context, n *Notifier, data T, options ...func(*Envelope)) (string, error) {
	if kind := n.codec.kindOf(reflect.TypeFor[T]()); kind != nil {
		return n.emit(ctx, factOf(kind, data), options)
	}
	// T is an interface, or no event.
	kind := n.codec.kindOf(reflect.TypeOf(data))
	if kind == nil {
		return "", &FieldError{Field: "Emit", Problem: notAnEvent(reflect.TypeOf(data)), Err: ErrUnsupported}
	}
	return n.emit(ctx, anyFactOf(kind, data), options)
}

// emit completes and publishes an event of the host's.
func (n *Notifier) emit(ctx context.Context, f *fact, options []func(*Envelope)) (string, error) {
	if err := n.open(ctx); err != nil {
		return "", err
	}
	name, now := f.kind.name, time.Now()
	f.Time, f.Source = now, n.codec.source
	d, cause := causeOf(ctx)
	if cause != nil {
		if err := d.mayEmit(f.kind, cause); err != nil {
			return "", err
		}
		cause.causes(f.Envelope)
		f.ID = cause.ID + "/" + d.runner.Name + "/" + name + "." + strconv.Itoa(d.emission(name))
	}
	if parent, state := traceOf(ctx); parent != "" {
		f.TraceParent, f.TraceState = parent, state
	}
	h := n.hooks.Load()
	if h != nil && h.Caller != nil {
		if parent, state := h.Caller(ctx); parent != "" {
			f.TraceParent, f.TraceState = parent, state
		}
	}
	given := f.TraceParent
	for _, option := range options {
		option(f.Envelope)
	}
	f.Type, f.Seen = name, now
	if f.ID == "" {
		f.ID = newID(now)
	}
	if f.Source == "" {
		f.Source = n.codec.source // as the wire has it
	}
	var span Begun
	if h.traces() && f.TraceParent == given && sampled(given) {
		span = h.beginEmit(ctx, f)
	}
	err := span.during(ctx, func(ctx context.Context) error { return n.publish(ctx, f, len(options) > 0) })
	if err != nil {
		return "", err
	}
	if cause != nil {
		d.runner.outputs.add(name, 1)
	}
	return f.ID, nil
}

// beginEmit begins the span of an event's publishing, which goes into the event.
func (h *Hooks) beginEmit(ctx context.Context, f *fact) Begun {
	span := h.Begin(ctx, Span{
		Operation: OperationEmit, Topic: eventsTopic, NotificationID: f.NotificationID, EventID: f.ID, EventType: f.Type,
		TraceParent: f.TraceParent, TraceState: f.TraceState,
	})
	if span.TraceParent != "" {
		f.TraceParent, f.TraceState = span.TraceParent, span.TraceState
	}
	return span
}

// publish publishes an event of the host's, which it may have changed.
func (n *Notifier) publish(ctx context.Context, f *fact, changed bool) error {
	if n.ledger.local != nil && (changed || raceBuild) {
		f.Labels = maps.Clone(f.Labels)
		// What a wire would refuse is refused here too.
		if err := n.codec.check(f); err != nil {
			return err
		}
	}
	return translate(n.ledger.emit(ctx, f))
}

// check finds out whether a host's event has a form on a wire: its attributes
// always, and in builds with the race detector its data too, whose type
// RegisterEvent has checked.
func (c *codec) check(f *fact) error {
	if raceBuild {
		_, err := f.Wire()
		return err
	}
	var found problems
	c.checkAttributes(f, &found)
	if err := found.err(); err != nil {
		return fmt.Errorf("notify: Emit: %w", err)
	}
	return nil
}

// causes fills in what an event takes over from f, its cause.
func (f *fact) causes(e *Envelope) {
	e.CausationID, e.Depth = f.ID, f.Depth+1
	e.NotificationID, e.RecipientID = f.NotificationID, f.RecipientID
	e.Tenant, e.Category, e.Labels = f.Tenant, f.Category, f.Labels
	e.TraceParent, e.TraceState = f.TraceParent, f.TraceState
}

// maxDepth bounds how often observers answer each other's events.
const maxDepth = 32

func (d *delivery) mayEmit(kind *eventKind, cause *fact) error {
	if cause.Depth >= maxDepth {
		return errTooDeep
	}
	if d.runner.Emits == nil {
		return nil
	}
	if !d.runner.declares(kind.event) {
		return &FieldError{
			Field: fmt.Sprintf("Observer(%q).Emits", d.runner.Name), Problem: "does not declare " + kind.name, Err: ErrUnsupported,
		}
	}
	return nil
}
