package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/seed-6c01d079/notify/backend"
)

// bus is the typed event bus: the observers, each a consumer group on the
// events topic, with a goroutine of its own that consumes.
type bus struct {
	codec      *codec
	consuming  *consuming
	positions  backend.Positioner  // nil: the backend has none
	letters    backend.DeadLetters // where dead letters are kept
	middleware []message.HandlerMiddleware
	log        *slog.Logger
	base       context.Context // ends what does not end by itself
	born       time.Time
	// emit raises an event about the machinery, or about what became of an event.
	emit  func(ctx context.Context, data any, about *Envelope)
	hooks *atomic.Pointer[Hooks]

	registering sync.Mutex // held, before mu, while observers come and go

	mu      sync.Mutex
	runners []*runner  // in the order of registration
	left    []*tallies // of observers that are gone, the latest last
	began   time.Time  // when the latest tallies did
	// run is what the observers' consumption runs under; nil until startAll begins
	// it.
	run context.Context
}

// now is the time since the bus was made, and never 0. Reading it costs half of
// what time.Now does.
func (b *bus) now() time.Duration { return time.Since(b.born) + 1 }

// observe adds an observer, and starts it if the bus runs.
func (b *bus) observe(o Observer) problems {
	found := o.complete(b.codec)
	if len(found) > 0 {
		return found
	}
	b.registering.Lock()
	defer b.registering.Unlock()
	field := fmt.Sprintf("Observer(%q)", o.Name)
	if b.find(o.Name) != nil {
		found.add(field+".Name", "there is an observer of that name: give one of them another, a ready-made handler by its Config.Name")
		return found
	}
	r := b.newRunner(o)
	former := b.find(o.FormerName)
	b.mu.Lock()
	r.tallies = b.talliesLocked(o.Name)
	if former != nil {
		b.removeLocked(former)
	}
	b.runners = append(b.runners, r)
	run := b.run
	b.mu.Unlock()
	if run == nil {
		return nil
	}
	var err error
	if former != nil {
		err = b.begin(run, r, former)
	} else if err = b.prepare(run, r); err == nil {
		err = b.begin(run, r, nil)
	}
	if err != nil {
		b.remove(r)
		found.addErr(translate(err), field, "could not be started: %v", err)
	}
	return found
}

// startAll fixes every observer's position, then starts them. It is called
// once.
func (b *bus) startAll(ctx context.Context) error {
	b.registering.Lock()
	defer b.registering.Unlock()
	runners := b.all()
	errs := make([]error, len(runners))
	var wg sync.WaitGroup
	for i, r := range runners {
		// All at once: a broker may take seconds for each.
		wg.Go(func() { errs[i] = b.prepare(ctx, r) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	b.mu.Lock()
	b.run = ctx
	b.mu.Unlock()
	for _, r := range runners {
		if err := b.begin(ctx, r, nil); err != nil {
			return err
		}
	}
	return nil
}

// prepare fixes the observer's position.
func (b *bus) prepare(ctx context.Context, r *runner) error {
	if b.positions != nil && r.FormerName != "" {
		if err := b.positions.Rename(ctx, eventsTopic, observerGroup(r.FormerName), r.group()); err != nil {
			return fmt.Errorf("notify: rename observer %s: %w", r.Name, err)
		}
	}
	if err := b.fix(ctx, eventsTopic, r.group(), r.From); err != nil {
		return fmt.Errorf("notify: fix the position of observer %s: %w", r.Name, err)
	}
	return nil
}

// begin starts the observer's goroutine. If it replaces a former one, that is
// halted, and its position is taken over when it has ended.
func (b *bus) begin(ctx context.Context, r, former *runner) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ctx.Err() != nil {
		return backend.ErrClosed
	}
	consuming, halt := context.WithCancel(ctx)
	r.halt, r.halted = halt, consuming.Done()
	if former != nil {
		former.halt()
	}
	go func() {
		defer close(r.ended)
		if former != nil {
			<-former.ended
			former.stop()
			taking := consuming
			if b.positions != nil {
				// Also if it has been halted meanwhile: who comes after it, or
				// forgets its position, has to find it under its name.
				taking = ctx
			}
			_ = b.again(taking, func() error { return b.prepare(taking, r) })
		}
		b.consuming.run(consuming, r.consumption())
		r.replaying <- struct{}{} // a replay ends with it
		if r.leaving.Load() {
			_ = b.forget(r.base, r) // detach, which waits for this, tries again
		}
	}()
	return nil
}

// again repeats what has to be done, until ctx ends.
func (b *bus) again(ctx context.Context, do func() error) error {
	for failures := 1; ; failures++ {
		err := do()
		if err == nil || ctx.Err() != nil {
			return err
		}
		b.log.Error("notify: an observer could not be started, and will be tried again", "error", err)
		sleep(ctx, stepBackoff(failures))
	}
}

// fix sees to it that the group gets what is published from now on: by its
// position, or where the backend has none, by its subscription.
func (b *bus) fix(ctx context.Context, topic, group string, from backend.Start) error {
	if b.positions != nil {
		return b.positions.Fix(ctx, topic, group, from)
	}
	if s, ok := b.consuming.consumer.(subscriptions); ok {
		return s.subscribe(ctx, topic, group)
	}
	return nil
}

// find returns the observer, or nil.
func (b *bus) find(name string) *runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.runners {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// everyone returns the observers, and the tallies of those that are registered no
// more, as they are at one time.
func (b *bus) everyone() ([]*runner, []*tallies) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.runners), slices.Clone(b.left)
}

// all returns the observers in the order of their registration.
func (b *bus) all() []*runner {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.runners)
}

func (b *bus) remove(r *runner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.removeLocked(r)
}

func (b *bus) removeLocked(r *runner) {
	i := slices.Index(b.runners, r)
	if i < 0 {
		return
	}
	b.runners = slices.Delete(b.runners, i, i+1)
	if b.left = append(b.left, r.tallies); len(b.left) > maxLeft {
		b.left = slices.Delete(b.left, 0, 1)
	}
}

// maxLeft bounds the observers that are gone whose counts are kept.
const maxLeft = 100

// talliesLocked are those of an observer to be registered, which go on if one of its
// name is gone.
func (b *bus) talliesLocked(observer string) *tallies {
	i := slices.IndexFunc(b.left, func(t *tallies) bool { return t.observer == observer })
	if i < 0 {
		if now := time.Now().Round(0); now.After(b.began) {
			b.began = now
		} else { // the clock is coarse, or has gone back
			b.began = b.began.Add(1)
		}
		return &tallies{observer: observer, since: b.began}
	}
	t := b.left[i]
	b.left = slices.Delete(b.left, i, i+1)
	return t
}

// tasks are the observers' goroutines.
func (b *bus) tasks() []task {
	b.mu.Lock()
	defer b.mu.Unlock()
	var tasks []task
	for _, r := range b.runners {
		if r.halt != nil {
			tasks = append(tasks, task{name: "observer " + r.Name, ended: r.ended})
		}
	}
	return tasks
}

// catchUp waits until the observers have handled what was raised. Those that
// run in the background, are paused or leave are not waited for.
func (b *bus) catchUp(ctx context.Context) error {
	if b.positions == nil {
		return nil
	}
	for _, r := range b.all() {
		if r.Background || r.pause.on() || r.leaving.Load() {
			continue
		}
		// An observer whose position is gone has nothing to catch up with.
		err := b.caughtUp(ctx, r.Name)
		if err != nil && !errors.Is(err, backend.ErrNotFound) {
			return err
		}
	}
	return nil
}
