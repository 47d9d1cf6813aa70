package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Health is what a Notifier is able to do at the moment. Its Err is for a
// readiness probe; the rest wants somebody's attention, and a restart would not
// help.
type Health struct {
	// Running says that Run has started everything, and has not begun to end.
	Running bool
	// Failing says what this process cannot do: reach the records, or read a
	// topic, which it tries again meanwhile, and which counts as failing until
	// reading has lasted a minute, or keep a [Worker] going. Each error names
	// which.
	Failing []error
	// ProvidersDown are the providers whose circuit breaker is open, and
	// ObserversPaused the observers that fail on everything, by name.
	ProvidersDown   []string
	ObserversPaused []string
}

// Err returns what keeps this process from doing its work, or nil.
func (h Health) Err() error {
	all := h.Failing
	if !h.Running {
		all = append([]error{errors.New("notify: not running")}, all...)
	}
	return errors.Join(all...)
}

// Health looks at the Notifier, and asks the records whether they answer, for
// as long as ctx allows. It may be called at any time.
func (n *Notifier) Health(ctx context.Context) Health {
	h := Health{Running: n.isRunning(), Failing: n.bus.consuming.failing(time.Now())}
	h.Failing = append(h.Failing, n.workers.failing(time.Now())...)
	if _, err := n.ledger.records.Load(ctx, healthProbe); err != nil && !errors.Is(err, backend.ErrNotFound) {
		h.Failing = append(h.Failing, fmt.Errorf("notify: the records do not answer: %w", translate(err)))
	}
	for _, s := range n.senders() {
		if s.isOpen() {
			h.ProvidersDown = append(h.ProvidersDown, s.policy.Name)
		}
	}
	for _, r := range n.bus.all() {
		if r.pause.on() {
			h.ObserversPaused = append(h.ObserversPaused, r.Name)
		}
	}
	return h
}

// healthProbe is an ID that no record has.
const healthProbe = "health"

// isRunning tells whether Run has started everything and has not begun to end.
func (n *Notifier) isRunning() bool {
	select {
	case <-n.ready:
	default:
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state == running && n.startErr == nil
}
