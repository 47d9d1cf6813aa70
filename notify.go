package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// Notifier accepts notifications, runs the pipeline that sends them, and tells
// observers of every step. [New] makes one: its zero value is of no use. All
// its methods, and the functions that take one, are safe for concurrent use.
type Notifier struct {
	config   Config
	codec    *codec
	decider  *decider
	ledger   *ledger
	pipeline *pipeline
	planner  *planner
	bus      *bus
	sweeper  *sweeper
	workers  *workers
	waiters  *waiters
	admitter backend.Admitter // nil: the backend has none
	log      *slog.Logger
	hooks    atomic.Pointer[Hooks] // nil: none; set under mu, before Run

	// hard ends what does not end by itself when the drain is over.
	hard     context.Context
	hardStop context.CancelFunc

	closing   chan struct{} // closed by the first Close
	closeOnce sync.Once
	ready     chan struct{} // closed when Run has started everything, or failed to
	ended     chan struct{} // closed when Run has returned

	// usable says that nothing is wrong and that it has not begun to end, for
	// those who need to know no more. It is set under mu.
	usable atomic.Bool

	// mu guards the following, and until Run what providers, guards and
	// renderers are registered in: the planner's and the pipeline's fields,
	// whose maps and slices are replaced and never changed.
	mu         sync.Mutex
	state      lifecycle
	problems   problems // of registrations before Run: they keep it from starting
	late       problems // of registrations while running, the first maxLate
	lateMore   int      // how many more there were
	startErr   error
	endErr     error
	drainStop  context.CancelFunc // ends the drain, once it began
	validation validation
}

type lifecycle uint8

const (
	created lifecycle = iota
	running
	draining
	closed
)

// New makes a Notifier. It opens the backend's handles, and reports every
// problem of the Config at once; nothing runs before Run. After an error the
// backend is still the caller's to close.
func New(config Config) (*Notifier, error) {
	found := config.complete()
	if config.Backend != nil && isNil(config.Backend) {
		found.add("Config.Backend", "is a %T that is nil; leave the field out to have one in memory", config.Backend)
		config.Backend = nil
	}
	if config.Backend == nil {
		config.Backend = memory.New()
	}
	n := &Notifier{
		config: config, codec: newCodec(config.Source), log: config.Logger,
		closing: make(chan struct{}), ready: make(chan struct{}), ended: make(chan struct{}),
	}
	n.hard, n.hardStop = context.WithCancel(context.Background())
	parsed, err := newTemplates(config.Templates)
	for _, f := range FieldErrors(err) {
		f.Field = "Config.Templates[" + f.Field + "]"
	}
	if err != nil {
		found = append(found, err)
	}
	instance, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("notify: make an ID: %w", err)
	}
	n.decider = &decider{
		codec: n.codec, source: config.Source, budgets: config.Budgets,
		policies: map[Channel][]providerPolicy{}, instance: instance.String(),
	}
	n.waiters = newWaiters()
	n.sweeper = newSweeper(n)
	n.ledger = &ledger{
		decider: n.decider, codec: n.codec, retention: config.Budgets.Retention, hooks: &n.hooks,
		changed: func(id string, due time.Time) { n.waiters.wake(id); n.sweeper.expect(due) },
	}
	n.planner = &planner{
		directory: config.Directory, defaultRoute: config.Route, usable: map[Channel]bool{}, custom: map[Channel]bool{}, templates: parsed,
	}
	for _, c := range config.Roles.Elsewhere {
		n.planner.usable[c] = true
	}
	n.bus = &bus{
		codec: n.codec, middleware: config.Middleware, log: n.log, base: n.hard, born: time.Now(), emit: n.emitMachinery, hooks: &n.hooks,
	}
	n.workers = &workers{log: n.log, hard: n.hard}
	n.pipeline = &pipeline{
		ledger: n.ledger, decider: n.decider, senders: map[Channel][]*sender{}, planner: n.planner, log: n.log,
		base: n.hard, attendance: &attendance{}, newer: &tally{},
		render:        newRenderers(parsed),
		parkedReports: n.applyParked, emit: n.emitMachinery, hooks: &n.hooks,
	}
	n.validation = validation{
		templates: parsed, defaultRoute: config.Route, hasDirectory: config.Directory != nil, maxBytes: config.MaxBytes,
	}
	if config.Roles.Route {
		n.validation.channels = n.planner.usable
	}
	found = append(found, n.connect()...)
	n.validation.unrecorded = n.ledger.carried != nil
	if len(found) > 0 {
		n.hardStop()
		if n.ledger.publisher != nil {
			_ = n.ledger.publisher.Close()
		}
		return nil, found.err()
	}
	return n, nil
}

// connect finds out what the backend can do, and opens its handles.
func (n *Notifier) connect() problems {
	var found problems
	b := n.config.Backend
	n.ledger.records = n.config.Records
	if own, ok := b.(backend.Records); ok && n.config.Records == nil {
		n.ledger.records = own
		if atomic, ok := b.(backend.Atomic); ok {
			n.ledger.atomic = atomic
		}
	}
	if c, ok := n.ledger.records.(carrier); ok {
		n.ledger.carried = c.carries()
		if _, delays := b.(backend.DelayedPublisher); !delays {
			found.add("Config.Records", "is NoRecords, with which the backend must be able to hold delayed messages")
		}
		if n.config.MaxBytes > defaultMaxBytes {
			found.add("Config.MaxBytes", "must be at most %d with NoRecords, since work carries the notification and what was made of it", defaultMaxBytes)
		}
	}
	if n.ledger.records == nil {
		found.add("Config.Records", "is required: the backend keeps no records; memory.NewRecords() will do for a single process, and notify.NoRecords says what it is to have none")
	}
	if presence, ok := n.ledger.records.(backend.Presence); ok {
		n.decider.present = presence.Present
	}
	n.ledger.local, _ = b.(backend.LocalPublisher)
	n.ledger.delayed, _ = b.(backend.DelayedPublisher)
	n.decider.delays = n.ledger.delayed != nil
	n.admitter, _ = b.(backend.Admitter)
	n.bus.positions, _ = b.(backend.Positioner)
	var err error
	n.ledger.publisher, err = b.Publisher()
	unusable := err != nil
	switch {
	case errors.Is(err, backend.ErrClosed):
		found.addErr(err, "Config.Backend", "is closed: a Notifier closes its backend when it ends, unless Config.KeepBackend is set; make another one")
	case unusable:
		found.addErr(err, "Config.Backend", "has no publisher: %v", err)
	}
	n.bus.consuming = &consuming{consumer: consumerOf(b, n.log), log: n.log}
	if letters, ok := b.(backend.DeadLetters); ok {
		n.bus.letters = letters
	} else if letters, ok := n.config.Records.(backend.DeadLetters); ok {
		n.bus.letters = letters
	} else {
		found.add("Config.Records", "must keep dead letters too, since the backend does not; memory.NewRecords() does")
	}
	n.pipeline.letters = n.bus.letters
	if len(n.config.AddressKey) == 0 {
		keeper, ok := b.(backend.SecretKeeper)
		if !ok {
			found.add("Config.AddressKey", "is required with this backend: 16 or more random bytes, the same in every process")
		} else if unusable {
			// What is wrong with it was said.
		} else if n.config.AddressKey, err = keeper.Secret(n.hard, "address-key"); err != nil {
			found.addErr(err, "Config.AddressKey", "could not be read from the backend: %v", err)
		}
	}
	n.pipeline.hash = newAddressHasher(n.config.AddressKey).hash
	return found
}

// open tells whether the Notifier can be used from ctx: with what is wrong
// with its registrations, or that it is closed. While it drains, observers may
// still send.
func (n *Notifier) open(ctx context.Context) error {
	if n.usable.Load() {
		return nil
	}
	_, err := n.accepting(ctx)
	return err
}

// accepting is open, with what a notification is checked against.
func (n *Notifier) accepting(ctx context.Context) (validation, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.state == closed:
		return validation{}, ErrClosed
	case n.state == draining:
		if _, cause := causeOf(ctx); cause == nil {
			return validation{}, ErrClosed
		}
	}
	return n.validation, n.problems.err()
}

// Ready waits for Run to be called, in another goroutine, and until everything
// runs: every observer that is registered sees every event that is raised after
// it. It returns what is wrong with the registrations (of those while running,
// the first 100), what kept Run from starting, or [ErrClosed]; When ctx ends
// first, it returns ctx's error, and what is wrong so far; if nobody calls Run,
// only ctx ends it.
func (n *Notifier) Ready(ctx context.Context) error {
	var err error
	select {
	case <-n.ready:
	case <-n.closing:
	case <-ctx.Done():
		err = fmt.Errorf("notify: not ready, has Run been called? %w", ctx.Err())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil:
		return errors.Join(err, n.problems.err())
	case n.startErr == nil && n.state != running:
		return ErrClosed
	}
	return errors.Join(n.startErr, n.lateLocked())
}
