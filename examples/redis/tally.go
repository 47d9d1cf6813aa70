package main

import (
	"context"
	"fmt"
	"sync"
)

// tally counts the events that an observer has handled.
type tally struct {
	mu      sync.Mutex
	all     int
	about   map[string]map[string]bool // notifications, by the event's type
	changed chan struct{}              // closed, and made anew, by add
}

func newTally() *tally {
	return &tally{about: map[string]map[string]bool{}, changed: make(chan struct{})}
}

func (t *tally) add(kind, notification string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all++
	if t.about[kind] == nil {
		t.about[kind] = map[string]bool{}
	}
	t.about[kind][notification] = true
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all
}

// wait waits until n notifications had an event of the type.
func (t *tally) wait(ctx context.Context, kind string, n int) error {
	for {
		t.mu.Lock()
		have, changed := len(t.about[kind]), t.changed
		t.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d notifications had their %s: %w", have, n, kind, ctx.Err())
		}
	}
}
