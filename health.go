package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Health is what a Notifier is able to do at the moment. Err is for a readiness
// probe. The rest is for somebody to look at: a restart would not help.
type Health struct {
	// Running says that Run has started everything, and has not begun to end.
	Running bool
	// Failing says what this process cannot do: reach the records, read a
	// topic, or keep a [Worker] running. Each error names which. It tries again
	// meanwhile; a topic counts as failing until it has been read for a minute.
	Failing []error
	// ProvidersDown are the providers whose circuit breaker is open, and
	// ObserversPaused the observers that fail on everything, by name.
	ProvidersDown   []string
	ObserversPaused []string
	// Lag is how many events an observer has not handled, and DeadLetters how
	// many it gave up that nobody has redriven or removed, by its name and where
	// there are any. Lag is empty where the backend has no positions, DeadLetters
	// where the store of the dead letters does not count them. Both belong to all
	// processes together, DeadLetters also to observers that are not registered
	// here, and to the pipeline itself, as in [Notifier.DeadLetters].
	Lag         map[string]int64
	DeadLetters map[string]int64
}

// Err returns what keeps this process from doing its work, or nil.
func (h Health) Err() error {
	all := h.Failing
	if !h.Running {
		all = append([]error{errors.New("notify: not running")}, all...)
	}
	return errors.Join(all...)
}

// Health looks at the Notifier, and asks the records, the positions and the dead
// letters, until ctx ends: what does not answer is in Failing. It may be called
// at any time.
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
	var err error
	if h.Lag, err = n.bus.lags(ctx); err != nil {
		h.Failing = append(h.Failing, fmt.Errorf("notify: the backend does not tell positions: %w", translate(err)))
	}
	if h.DeadLetters, err = n.bus.countLetters(ctx); err != nil {
		h.Failing = append(h.Failing, fmt.Errorf("notify: the dead letters do not answer: %w", translate(err)))
	}
	return h
}

// lags returns how far behind observers are, by name, of those that are.
func (b *bus) lags(ctx context.Context) (map[string]int64, error) {
	if b.positions == nil {
		return nil, nil
	}
	var lags map[string]int64
	for _, r := range b.all() {
		lag, err := b.positions.Lag(ctx, eventsTopic, r.group())
		switch {
		case errors.Is(err, backend.ErrNotFound): // it has not started
		case err != nil:
			return lags, err
		case lag > 0:
			if lags == nil {
				lags = map[string]int64{}
			}
			lags[r.Name] = lag
		}
	}
	return lags, nil
}

// countLetters returns how many dead letters observers have, by name.
func (b *bus) countLetters(ctx context.Context) (map[string]int64, error) {
	counter, ok := b.letters.(backend.DeadLetterCounter)
	if !ok {
		return nil, nil
	}
	groups, err := counter.CountLetters(ctx)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	counts := map[string]int64{}
	renamed := b.renamed()
	for group, letters := range groups {
		name := strings.TrimPrefix(group, observerGroup(""))
		if current, ok := renamed[name]; ok {
			name = current
		}
		counts[name] += letters
	}
	return counts, nil
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
