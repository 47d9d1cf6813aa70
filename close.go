package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

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
	n.workers.stop() // who may have work that observers left
	left = append(left, awaitAll(drain, n.workers.tasks())...)
	n.hardStop()
	left = awaitBriefly(left) // their contexts are canceled now
	n.pipeline.attendance.close()
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

// closeProviders closes the providers, each on its own: the tasks, and what went
// wrong in those that have ended.
func (n *Notifier) closeProviders() (tasks []task, problem func() error) {
	var mu sync.Mutex
	var errs []error
	for _, s := range n.senders() {
		t := task{name: "Close of the provider " + s.policy.Name, ended: make(chan struct{})}
		tasks = append(tasks, t)
		go func() {
			defer close(t.ended)
			err := s.close()
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		}()
	}
	return tasks, func() error {
		mu.Lock()
		defer mu.Unlock()
		return errors.Join(errs...)
	}
}

// stillRunning names what has not ended, if anything has not.
func stillRunning(left []task) error {
	if len(left) == 0 {
		return nil
	}
	names := make([]string, len(left))
	for i, t := range left {
		names[i] = t.name
	}
	return fmt.Errorf("notify: still running at the end of the drain: %s", strings.Join(names, ", "))
}
