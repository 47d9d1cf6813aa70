package notify

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
)

// RegisterEvent makes a struct of the host's an event, under its type on the
// wire, such as "shop.order_paid.v1": lower-case letters, digits, '-', '_' and
// dots, not beginning with "notify.". Its fields travel as JSON. Call it
// before what observes or emits it; its problems come from Ready, Run and
// Send.
func RegisterEvent[T any](n *Notifier, wireName string) {
	if err := n.codec.register(reflect.TypeFor[T](), wireName); err != nil {
		n.problemErr("RegisterEvent", err)
	}
}

// Emit raises an event of the host's for all observers, and returns its ID. In
// an observer's handler the event says what caused it, and its ID follows from
// the cause, so that a redelivery raises the same one; it then also takes over
// what notification the cause is about, with tenant, category and labels.
// Options may set those fields, and ID, before.
func Emit[T any](ctx context.Context, n *Notifier, data T, options ...func(*Envelope)) (string, error) {
	name, ok := n.codec.typeOf(data)
	if !ok {
		return "", &FieldError{Field: "Emit", Problem: fmt.Sprintf("%T is not an event; register it with RegisterEvent", data), Err: ErrUnsupported}
	}
	if err := n.open(ctx); err != nil {
		return "", err
	}
	now := time.Now()
	e := Envelope{Type: name, Time: now, Source: n.codec.source}
	d, cause := causeOf(ctx)
	if cause != nil {
		if err := d.mayEmit(data, name, cause); err != nil {
			return "", err
		}
		e = cause.caused(e)
		e.ID = fmt.Sprintf("%s/%s/%s.%d", cause.ID, d.runner.Name, name, d.emission(name))
	}
	for _, option := range options {
		option(&e)
	}
	e.Seen = now
	e.Labels = maps.Clone(e.Labels)
	if e.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return "", fmt.Errorf("notify: make an ID: %w", err)
		}
		e.ID = id.String()
	}
	f := newFact(n.codec, e, data)
	if n.ledger.local != nil {
		// What a wire would refuse is refused here too.
		if _, err := f.Wire(); err != nil {
			return "", err
		}
	}
	return e.ID, n.ledger.emit(ctx, f)
}

// caused fills in what an event takes over from its cause.
func (f *fact) caused(e Envelope) Envelope {
	e.CausationID, e.Depth = f.ID, f.Depth+1
	e.NotificationID, e.RecipientID = f.NotificationID, f.RecipientID
	e.Tenant, e.Category, e.Labels = f.Tenant, f.Category, f.Labels
	e.TraceParent, e.TraceState = f.TraceParent, f.TraceState
	return e
}

// maxDepth bounds how often observers answer each other's events.
const maxDepth = 32

func (d *delivery) mayEmit(data any, name string, cause *fact) error {
	if cause.Depth >= maxDepth {
		return errTooDeep
	}
	if d.runner.Emits == nil {
		return nil
	}
	if !slices.ContainsFunc(d.runner.Emits, func(declared any) bool { return reflect.TypeOf(declared) == reflect.TypeOf(data) }) {
		return &FieldError{
			Field: fmt.Sprintf("Observer(%q).Emits", d.runner.Name), Problem: "does not declare " + name, Err: ErrUnsupported,
		}
	}
	return nil
}

// emitMachinery raises an event about the machinery. A failure is logged:
// nobody waits for it.
func (n *Notifier) emitMachinery(ctx context.Context, data any) {
	name, _ := n.codec.typeOf(data)
	now := time.Now()
	id, err := uuid.NewV7()
	if err == nil {
		f := newFact(n.codec, Envelope{ID: id.String(), Type: name, Source: n.codec.source, Time: now, Seen: now}, data)
		err = n.ledger.emit(ctx, f)
	}
	if err != nil {
		n.log.Error("notify: an event about the machinery was lost", "type", name, "error", err)
	}
}
