package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// task is a goroutine of a running Notifier, with its name and its end.
type task struct {
	name  string
	ended chan struct{}
}

// Run runs the pipeline and the observers until ctx ends or Close is called,
// then lets what is under way finish, for [Config.DrainTimeout] at most, and
// closes the Notifier. It may be called once. Its error is what kept it from
// starting, or names what was still running when the time was over. If what
// is wrong with the registrations keeps it from starting, the Notifier stays
// to be closed.
func (n *Notifier) Run(ctx context.Context) error {
	n.mu.Lock()
	if n.state != created {
		n.mu.Unlock()
		return fmt.Errorf("notify: Run was called before, or after Close: %w", ErrClosed)
	}
	if n.startErr == nil {
		n.checkRouteLocked()
		if n.startErr = n.problems.err(); n.startErr != nil {
			close(n.ready)
		}
	}
	if err := n.startErr; err != nil {
		n.mu.Unlock()
		return err
	}
	n.state = running
	n.usable.Store(true)
	n.mu.Unlock()
	defer close(n.ended)

	bounds, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	work, stopWork := context.WithCancel(bounds)
	defer stopWork()
	tasks, err := n.start(bounds, work)
	n.mu.Lock()
	n.startErr = err
	n.mu.Unlock()
	close(n.ready)
	if err == nil {
		n.log.Info("notify: running", "guarantees", n.Guarantees())
		select {
		case <-ctx.Done():
		case <-n.closing:
		}
	}
	err = errors.Join(err, n.shutdown(tasks, err == nil, stopWork, stop))
	n.mu.Lock()
	n.endErr = err
	n.mu.Unlock()
	return err
}

// checkRouteLocked checks the default route against the providers, which are
// all registered by now.
func (n *Notifier) checkRouteLocked() {
	if !n.config.Route.IsZero() {
		n.problems.route("Config.Route", n.config.Route, n.validation.channels)
	}
}

// start fixes the positions of observers and pipeline, then starts them: its
// tasks. Nothing is published before every group gets it.
func (n *Notifier) start(ctx, work context.Context) ([]task, error) {
	roles := n.config.Roles
	if roles.Observe {
		if err := n.bus.startAll(ctx); err != nil {
			return nil, err
		}
	}
	type step struct {
		name string
		backend.Consumption
	}
	var steps []step
	if roles.Route {
		steps = append(steps, step{"the route step", n.pipeline.routeConsumption()})
	}
	for _, c := range n.deliveredHere() {
		for _, urgent := range []bool{true, false} {
			steps = append(steps, step{"the deliver step of " + string(c), n.pipeline.deliverConsumption(c, urgent)})
		}
	}
	for _, s := range steps {
		if err := n.bus.fix(ctx, s.Topic, s.Group, backend.FromOldest()); err != nil {
			return nil, fmt.Errorf("notify: fix the position in %s: %w", s.Topic, err)
		}
	}
	var tasks []task
	begin := func(name string, run func()) {
		t := task{name: name, ended: make(chan struct{})}
		tasks = append(tasks, t)
		go func() {
			defer close(t.ended)
			run()
		}()
	}
	for _, s := range steps {
		begin(s.name, func() { consume(work, n.bus.consumer, s.Consumption, n.log) })
	}
	if roles.Route {
		begin("the sweep", func() { n.sweeper.run(work) })
	}
	return tasks, nil
}

// deliveredHere are the channels whose deliver step runs here.
func (n *Notifier) deliveredHere() []Channel {
	var channels []Channel
	for c := range n.pipeline.senders {
		if n.config.Roles.delivers(c) {
			channels = append(channels, c)
		}
	}
	slices.Sort(channels)
	return channels
}

// shutdown lets what is under way finish, then ends it. Nobody works on what is
// queued unless everything has started.
func (n *Notifier) shutdown(tasks []task, started bool, stopWork, stop context.CancelFunc) error {
	drain, cancel := context.WithTimeout(context.Background(), n.config.DrainTimeout)
	defer cancel()
	n.mu.Lock()
	n.state = draining
	n.usable.Store(false)
	n.drainStop = cancel
	hurry := n.hard.Err() != nil
	n.mu.Unlock()
	if hurry {
		cancel()
	}
	if started {
		n.catchUp(drain)
	}
	stopWork()
	left := awaitAll(drain, tasks)
	if started && n.ledger.local != nil && len(left) == 0 {
		_ = n.bus.catchUp(drain) // what the last steps raised
	}
	stop()
	left = append(left, awaitAll(drain, n.bus.tasks())...)
	n.hardStop()
	left = awaitBriefly(left) // their contexts are canceled now
	n.mu.Lock()
	n.state = closed
	n.mu.Unlock()
	return n.disconnect(drain, left)
}

// catchUp waits, on a backend that loses what it holds, until the queued work
// is done and the observers have seen what came of it.
func (n *Notifier) catchUp(ctx context.Context) {
	if n.ledger.local == nil || n.bus.positions == nil {
		return
	}
	topics := []string{}
	if n.config.Roles.Route {
		topics = append(topics, routeTopic)
	}
	for _, c := range n.deliveredHere() {
		topics = append(topics, deliverTopic(c, true), deliverTopic(c, false))
	}
	for range 2 { // what observers sent meanwhile is work too
		for _, topic := range topics {
			if err := n.bus.positions.CatchUp(ctx, topic, pipelineGroup); err != nil {
				return
			}
		}
		if n.config.Roles.Observe && n.bus.catchUp(ctx) != nil {
			return
		}
	}
}

// awaitAll waits for the tasks' ends, and returns those that have not ended
// with ctx.
func awaitAll(ctx context.Context, tasks []task) []task {
	var left []task
	for _, t := range tasks {
		select {
		case <-t.ended:
		case <-ctx.Done():
			select {
			case <-t.ended:
			default:
				left = append(left, t)
			}
		}
	}
	return left
}

// awaitBriefly waits a moment for what should end by itself by now.
func awaitBriefly(tasks []task) []task {
	if len(tasks) == 0 {
		return nil
	}
	brief, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	return awaitAll(brief, tasks)
}

// disconnect closes the providers, for as long as ctx allows, and the backend.
// Its error names those that do not return, and the tasks that are left. A
// backend waits for the handlers that run; if one never returns, nobody waits
// for the backend.
func (n *Notifier) disconnect(ctx context.Context, left []task) error {
	n.hardStop()
	stuck := len(left) > 0
	closings, problem := n.closeProviders()
	closings = awaitBriefly(awaitAll(ctx, closings))
	errs := []error{stillRunning(append(left, closings...)), problem()}
	if err := n.ledger.publisher.Close(); err != nil {
		errs = append(errs, fmt.Errorf("notify: close the publisher: %w", err))
	}
	switch {
	case n.config.KeepBackend:
	case stuck:
		go func() { _ = n.config.Backend.Close() }()
	default:
		if err := n.config.Backend.Close(); err != nil {
			errs = append(errs, fmt.Errorf("notify: close the backend: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Close ends Run as the end of its context does, and waits for it, until ctx
// ends: then it gives up what is still running, and its error names that. A
// Notifier that does not run is closed at once. Closing again waits too, and
// returns the same error. An observer's handler must not call it: Close waits
// for the handlers. What does not heed the end of its context gets another
// second, and so does a provider whose Close does not return.
func (n *Notifier) Close(ctx context.Context) error {
	n.closeOnce.Do(func() { close(n.closing) })
	n.mu.Lock()
	if n.state == created {
		n.state = closed
		bound, done := context.WithTimeout(ctx, n.config.DrainTimeout)
		defer done()
		n.drainStop = done
		n.mu.Unlock()
		err := n.disconnect(bound, nil)
		n.mu.Lock()
		n.endErr = err
		n.mu.Unlock()
		close(n.ended)
		return err
	}
	n.mu.Unlock()
	select {
	case <-n.ended:
	case <-ctx.Done():
		n.hardStop()
		n.mu.Lock()
		if n.drainStop != nil {
			n.drainStop()
		}
		n.mu.Unlock()
		<-n.ended
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.endErr
}
