package notify

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

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
