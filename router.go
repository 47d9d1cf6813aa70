package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// bus is the typed event bus: the observers, each a consumer group on the
// events topic, with a goroutine of its own that consumes.
type bus struct {
	codec      *codec
	consumer   backend.Consumer
	positions  backend.Positioner  // nil: the backend has none
	letters    backend.DeadLetters // where dead letters are kept
	middleware []message.HandlerMiddleware
	log        *slog.Logger
	// emit raises an event about the machinery.
	emit func(ctx context.Context, data any)

	mu      sync.Mutex
	runners map[string]*runner // by name
	order   []string           // names in the order of registration
	// run is what the observers' consumption runs under; nil before start.
	run context.Context
}

// observe adds an observer, and starts it if the bus runs.
func (b *bus) observe(o Observer) problems {
	found := o.complete(b.codec)
	if len(found) > 0 {
		return found
	}
	r := &runner{Observer: o, bus: b, ended: make(chan struct{}), stats: &counters{}}
	r.base, r.stop = context.WithCancel(context.Background())
	r.chain = r.wrapped(b.middleware)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.runners[o.Name]; taken {
		found.add(fmt.Sprintf("Observer(%q).Name", o.Name), "there is an observer of that name")
		return found
	}
	b.runners[o.Name] = r
	b.order = append(b.order, o.Name)
	if b.run != nil {
		if err := b.start(b.run, r); err != nil {
			delete(b.runners, o.Name)
			b.order = b.order[:len(b.order)-1]
			found.addErr(err, fmt.Sprintf("Observer(%q)", o.Name), "could not be started: %v", err)
		}
	}
	return found
}

// wrapped is the handler inside the middleware, or nil if there is none.
func (r *runner) wrapped(all []message.HandlerMiddleware) message.HandlerFunc {
	if len(all)+len(r.Middleware) == 0 {
		return nil
	}
	chain := message.HandlerFunc(r.afterMiddleware)
	for _, middlewares := range [][]message.HandlerMiddleware{r.Middleware, all} {
		for i := len(middlewares) - 1; i >= 0; i-- {
			chain = middlewares[i](chain)
		}
	}
	return chain
}

// startAll fixes every observer's position, then starts them.
func (b *bus) startAll(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run = ctx
	for _, name := range b.order {
		if err := b.start(ctx, b.runners[name]); err != nil {
			return err
		}
	}
	return nil
}

// start is called with b.mu held.
func (b *bus) start(ctx context.Context, r *runner) error {
	if b.positions != nil && r.FormerName != "" {
		if err := b.positions.Rename(ctx, eventsTopic, observerGroup(r.FormerName), r.group()); err != nil {
			return fmt.Errorf("notify: rename observer %s: %w", r.Name, err)
		}
	}
	if err := b.fix(ctx, eventsTopic, r.group(), r.From); err != nil {
		return fmt.Errorf("notify: fix the position of observer %s: %w", r.Name, err)
	}
	ctx, r.halt = context.WithCancel(ctx)
	go func() {
		defer close(r.ended)
		consume(ctx, b.consumer, r.consumption(), b.log)
	}()
	return nil
}

// fix sees to it that the group gets what is published from now on: by its
// position, or where the backend has none, by its subscription.
func (b *bus) fix(ctx context.Context, topic, group string, from backend.Start) error {
	if b.positions != nil {
		return b.positions.Fix(ctx, topic, group, from)
	}
	if s, ok := b.consumer.(subscriptions); ok {
		return s.subscribe(ctx, topic, group)
	}
	return nil
}

// consume consumes until ctx ends, also when the backend fails meanwhile.
func consume(ctx context.Context, consumer backend.Consumer, c backend.Consumption, log *slog.Logger) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := consumer.Consume(ctx, c)
		if ctx.Err() != nil || errors.Is(err, backend.ErrClosed) {
			return
		}
		log.Error("notify: consuming stopped, and will be tried again", "topic", c.Topic, "group", c.Group, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(stepBackoff(min(failures, 10) + 1)):
		}
	}
}

// all returns the observers in the order of their registration.
func (b *bus) all() []*runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	runners := make([]*runner, len(b.order))
	for i, name := range b.order {
		runners[i] = b.runners[name]
	}
	return runners
}

// detach removes an observer.
func (b *bus) detach(ctx context.Context, name string) error {
	b.mu.Lock()
	r := b.runners[name]
	if r != nil {
		delete(b.runners, name)
		b.order = slices.DeleteFunc(b.order, func(known string) bool { return known == name })
	}
	b.mu.Unlock()
	if r == nil {
		return fmt.Errorf("notify: detach observer %q: %w", name, ErrNotFound)
	}
	if r.halt != nil {
		r.halt()
		select {
		case <-r.ended:
		case <-ctx.Done():
			r.stop()
			return fmt.Errorf("notify: detach observer %s: it still runs: %w", name, ctx.Err())
		}
	}
	r.stop()
	if b.positions == nil {
		return nil
	}
	if err := b.positions.Forget(ctx, eventsTopic, r.group()); err != nil {
		return fmt.Errorf("notify: forget the position of observer %s: %w", name, err)
	}
	return nil
}

// catchUp waits until the observers that do not run in the background have
// handled what was raised.
func (b *bus) catchUp(ctx context.Context) error {
	if b.positions == nil {
		return nil
	}
	for _, r := range b.all() {
		if r.Background {
			continue
		}
		if err := b.positions.CatchUp(ctx, eventsTopic, r.group()); err != nil {
			return err
		}
	}
	return nil
}

// observerFailed and skipped raise events about the machinery, which breed no
// more of their kind.
func (b *bus) observerFailed(name string, m *message.Message, class ObserverError) {
	if id, kind, ok := b.aboutEvent(m); ok {
		b.emit(context.Background(), ObserverFailed{Observer: name, EventID: id, EventType: kind, Class: class})
	}
}

func (b *bus) skipped(name string, from, to int64) {
	b.log.Warn("notify: an observer fell too far behind, and was moved forward", "observer", name, "from", from, "to", to)
	b.emit(context.Background(), ObserverSkipped{Observer: name, From: from, To: to})
}

// aboutEvent names the event of a message; ok is false if it is one about
// observers itself.
func (b *bus) aboutEvent(m *message.Message) (id, kind string, ok bool) {
	if f, isLocal := m.Context().(*fact); isLocal {
		id, kind = f.ID, f.Type
	} else {
		id, kind = m.Metadata["ce_id"], m.Metadata["ce_type"]
	}
	switch kind {
	case "notify.observer_failed.v1", "notify.observer_skipped.v1", "notify.dead_lettered.v1":
		return id, kind, false
	}
	return id, kind, true
}
