package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		n.checkFormsLocked()
		n.checkLimitsLocked()
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

	if presence, ok := n.ledger.records.(backend.Presence); ok {
		n.pipeline.attendance.enter(presence, n.decider.instance)
	}
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
		before := len(n.problems)
		n.problems.route("Config.Route", n.config.Route, n.validation.channels)
		if n.ledger.carried != nil && len(n.problems) == before && n.config.Route.hasAll() {
			n.problems.addErr(errNoRecords, "Config.Route", "has All, which needs records, and Config.Records is NoRecords")
		}
	}
}

// checkFormsLocked checks that what is made for each channel is what the
// providers take that this process delivers by.
func (n *Notifier) checkFormsLocked() {
	for _, s := range n.sendersLocked() {
		if problem := n.pipeline.render.misfit(s.channel, s.form); problem != "" && n.config.Roles.delivers(s.channel) {
			n.problemLocked(fmt.Sprintf("Use(%s)", s.policy.Name), problem)
		}
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
		begin(s.name, func() { n.bus.consuming.run(work, s.Consumption) })
	}
	if roles.Observe {
		n.workers.start(ctx)
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
