package e2e_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// subject is a handler in a trial. What it writes to outlives the processes.
type subject struct {
	observers []string
	// attach attaches the handler to a process that has not begun.
	attach func(p *process)
	// beside, if set, is called over and over while a process runs.
	beside func(p *process)
	// midway, if set, is called when everything has settled, before dead letters
	// are redriven. It is tried again until it returns nil.
	midway func(p *process) error
	// rested, if set, tells by nil that what the handler does later is done.
	rested func(p *process, known truth) error
	// check says what is wrong with what the handler did, as an outsider sees it.
	check func(p *process, known truth) []string
}

// handlers are the rows of the table: a function each. With unsafe the handler
// lacks what protects it, which check must find.
var handlers = map[string]func(t *trial, unsafe bool) subject{
	"timeline":    timelineSubject,
	"logs":        logsSubject,
	"forward":     forwardSubject,
	"trigger":     triggerSubject,
	"cache":       cacheSubject,
	"suppression": suppressionSubject,
	"webhook":     webhookSubject,
}

// backends open a trial's backend.
var backends = map[string]func(t *testing.T) place{
	"memory": func(*testing.T) place { return inMemory() },
	"sqlite": func(t *testing.T) place { return onFile(filepath.Join(t.TempDir(), "notify.db")) },
}

// TestHandlers has each handler see notifications of every fate on each backend,
// while processes die, events come twice and out of order, and what it writes to
// fails; then it looks at what came of it from outside.
func TestHandlers(t *testing.T) {
	t.Parallel()
	for name, handler := range handlers {
		for on, open := range backends {
			t.Run(name+"/"+on, func(t *testing.T) {
				t.Parallel()
				r := newTrial(t, open(t))
				require.Empty(t, r.run(handler(r, false)))
				r.trouble.require(t)
			})
		}
	}
}

// Without what protects a handler, the same trial finds that.
func TestHandlersControl(t *testing.T) {
	t.Parallel()
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t, inMemory())
			require.NotEmpty(t, r.run(handler(r, true)))
		})
	}
}
