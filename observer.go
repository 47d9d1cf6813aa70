package notify

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// Observer watches events. It is a consumer group of its own, with its own
// position, retries and dead letters, so it delays no other observer, however
// slow it is. Name and Handlers are required.
type Observer struct {
	// Name is unique, and the same after a restart, since the backend keeps
	// the observer's position under it: 1 to 128 bytes of printable
	// characters without spaces.
	Name string
	// Handlers get the events, each those of its type, in the order given.
	// They share one order: the next event of a notification comes after all
	// of them have handled the one before. If one fails, all see the event
	// again.
	Handlers []Handler
	// Concurrency is how many notifications' events are handled at once;
	// default 8. Events of one notification always come one after the other,
	// in the order of the log.
	Concurrency int
	// Timeout is how long the handlers may take for one event, together: then
	// their context ends with [context.DeadlineExceeded]. A handler that does
	// not heed its context is not stopped; nothing else of the observer's waits
	// for it but the events of the same notification. Default 30 s; negative is
	// never.
	Timeout time.Duration
	// Retry says how often and when an event that failed comes again.
	Retry Retry
	// From is where an observer that the backend does not know begins: by
	// default with what is raised from now on.
	From backend.Start
	// FormerName is the name under which the backend may know the observer,
	// from before it was renamed: it goes on where that one was. An observer of
	// that name that is registered here is stopped, and replaced. Dead letters
	// under it are this one's, unless another observer takes the name.
	FormerName string
	// Emits declares what the handlers raise by [Emit]: a value of each type.
	// If it is not nil, raising anything else is an error. A [Notification] in it
	// declares that they send some, which [Notifier.Topology] shows.
	Emits []any
	// ReplaySafe declares that events may come again long after, and beside newer
	// ones of their notification: the handlers have no effect that must not be
	// repeated. Only then [Notifier.Replay] gives the observer its history.
	ReplaySafe bool
	// Middleware is Watermill's own, and runs around the handlers, inside
	// [Config.Middleware] and inside recovery, on a copy of the message in its
	// wire form: without any, events of an in-memory backend are never
	// encoded. Messages that it returns are dropped.
	Middleware []message.HandlerMiddleware
	// Background says that Close need not wait until the observer has caught
	// up.
	Background bool
}

// Retry says how often and when a failed event comes again. Meanwhile the
// events of its notification wait; where the backend has no room for more, in
// memory beyond 1,000, they become dead letters ([ObserverOverflow]). After an
// event of a notification became a dead letter, the notification's other events
// are tried once each, until one succeeds. An observer that has dead letters of
// 20 notifications in a row is paused: it tries one event every 30 s, until one
// succeeds.
type Retry struct {
	// Attempts is how often an event is tried before it becomes a dead letter;
	// default 10. Negative is without end.
	Attempts int
	// Backoff is the pause after the nth failure, n from 1; it must be safe for
	// concurrent use. Default: 200 ms doubling to 1 min, each with up to half of
	// it taken off at random.
	Backoff func(n int) time.Duration
}

// Handler is a function for the events of one type, made by [Handle].
type Handler struct {
	event reflect.Type
	kind  *eventKind         // of event, known when the observer is registered
	isA   func(f *fact) bool // nil unless event is an interface or Raw
	some  []reflect.Type     // of HandleSome
	call  func(ctx context.Context, f *fact) error
	place place
}

// matches tells whether the event's data is of the handler's type; only then
// the handler may be called.
func (h *Handler) matches(f *fact) bool {
	if h.isA != nil {
		return h.isA(f)
	}
	if f.kind == h.kind {
		return true
	}
	// Several Notifiers on one backend have a kind each.
	return f.kind.event == h.event
}

// Handle makes a function a handler of the events whose data is a T: one of
// the event structs, an interface that several of them have, or any for all
// events, also those whose type this program does not know ([Raw]).
//
// The context ends with the observer's timeout and when the function has
// returned, and carries the event as the cause of what the function sends and
// emits: do not use it afterwards. A nil error means done, also after the
// timeout. After an error or a panic the event comes again, unless the error is
// [Permanent]; a function that heeds its context returns the context's error.
// It may get an event twice, with the same ID, and is called by up to
// [Observer.Concurrency] goroutines at once.
func Handle[T any](fn func(ctx context.Context, e Event[T]) error) Handler {
	h := Handler{event: reflect.TypeFor[T]()}
	if fn == nil {
		return h
	}
	h.place = placeOf(reflect.ValueOf(fn).Pointer())
	switch {
	case h.event == reflect.TypeFor[any]():
		h.isA = func(*fact) bool { return true }
	case h.event.Kind() == reflect.Interface, h.event == reflect.TypeFor[Raw]():
		h.isA = func(f *fact) bool {
			_, ok := f.data().(T)
			return ok
		}
	}
	h.call = func(ctx context.Context, f *fact) error {
		switch e := f.event.(type) { // copied once
		case *typedEvent[T]:
			return fn(ctx, e.Event)
		case *Event[T]:
			return fn(ctx, *e)
		}
		data := f.data().(T)
		return fn(ctx, Event[T]{Envelope: *f.Envelope, Data: data})
	}
	return h
}

// HandleSome makes a function a handler of several types of events, given by a
// value of each: those of the vocabulary, or the host's own. It is for a function
// that does the same with all of them, where no interface selects them. Other
// events cost the observer nothing, and the topology shows which events it
// handles. See [Handle] for the rest.
func HandleSome(fn func(ctx context.Context, e Event[any]) error, events ...any) Handler {
	h := Handle(fn)
	h.some = make([]reflect.Type, len(events))
	for i, e := range events {
		h.some[i] = reflect.TypeOf(e)
	}
	some := h.some
	h.isA = func(f *fact) bool { return slices.Contains(some, f.kind.event) }
	return h
}

// On registers an observer of one function: see [Handle] and [Observer]. It
// may be called at any time before Close; what it finds wrong is reported by
// Ready, Run and Send.
func On[T any](n *Notifier, name string, fn func(ctx context.Context, e Event[T]) error, options ...func(*Observer)) {
	o := Observer{Name: name, Handlers: []Handler{Handle(fn)}}
	for _, option := range options {
		option(&o)
	}
	n.Observe(o)
}

// Attacher is a ready-made set of observers, such as the handlers packages
// have: Attach registers them. It may be a [Worker] too.
type Attacher interface {
	Attach(n *Notifier) error
}

// complete checks an observer and fills in its defaults.
func (o *Observer) complete(c *codec) problems {
	var found problems
	field := fmt.Sprintf("Observer(%q)", o.Name)
	if !validName(o.Name) {
		found.add(field+".Name", "must have 1 to 128 bytes of printable characters without spaces")
	}
	if len(o.Handlers) == 0 {
		found.add(field+".Handlers", "must not be empty")
	}
	if o.FormerName != "" && (!validName(o.FormerName) || o.FormerName == o.Name) {
		found.add(field+".FormerName", "must be another name, of 1 to 128 bytes of printable characters without spaces")
	}
	for i, m := range o.Middleware {
		if m == nil {
			found.add(fmt.Sprintf("%s.Middleware[%d]", field, i), "is nil")
		}
	}
	o.Handlers = slices.Clone(o.Handlers)
	for i := range o.Handlers {
		h := &o.Handlers[i]
		at := fmt.Sprintf("%s.Handlers[%d]", field, i)
		switch {
		case h.call == nil:
			found.add(at, "the function is nil")
		case h.some != nil:
			if len(h.some) == 0 {
				found.add(at, "names no events")
			}
			for j, event := range h.some {
				if c.kindOf(event) == nil {
					found.add(fmt.Sprintf("%s.events[%d]", at, j), "%s", notAnEvent(event))
				}
			}
		case h.isA != nil:
		default:
			if h.kind = c.kindOf(h.event); h.kind == nil {
				found.add(at, "%s", notAnEvent(h.event))
			}
		}
	}
	for i, emitted := range o.Emits {
		if _, sends := emitted.(Notification); sends {
			continue
		}
		if c.kindOf(reflect.TypeOf(emitted)) == nil {
			found.add(fmt.Sprintf("%s.Emits[%d]", field, i), "%s", notAnEvent(reflect.TypeOf(emitted)))
		}
	}
	if o.Concurrency < 0 || o.Concurrency > 10_000 {
		found.add(field+".Concurrency", "must be from 0 (the default) to 10000")
	}
	o.Concurrency = orDefault(o.Concurrency, 8)
	o.Timeout = orDefault(o.Timeout, 30*time.Second)
	o.Retry.Attempts = orDefault(o.Retry.Attempts, 10)
	if o.Retry.Backoff == nil {
		o.Retry.Backoff = backoff(200*time.Millisecond, time.Minute)
	}
	return found
}
