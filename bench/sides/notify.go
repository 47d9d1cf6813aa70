package sides

import (
	"context"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
	"github.com/seed-6c01d079/notify/bench"
)

// Notify is notify with the default Config: in memory, events as typed values.
func Notify() bench.Side {
	return bench.Side{Name: NotifyName, Start: func(_ int, gate *bench.Gate) (bench.Bus, error) {
		return startNotify(notify.Config{}, gate)
	}}
}

// NotifyWire is notify in memory with events in their wire form: encoded once,
// decoded by each observer, as a broker would have it.
func NotifyWire() bench.Side {
	return bench.Side{Name: "notify, wire form", Start: func(_ int, gate *bench.Gate) (bench.Bus, error) {
		return startNotify(notify.Config{Backend: wired(memory.New())}, gate)
	}}
}

// wireOnly is a backend in memory that is no [backend.LocalPublisher].
type wireOnly struct {
	backend.Atomic
	backend.Consumer
	backend.Positioner
	backend.DelayedPublisher
	backend.DeadLetters
	backend.Admitter
	backend.SecretKeeper
}

func wired(m *memory.Backend) backend.Backend {
	return wireOnly{m, m, m, m, m, m, m}
}

type notifyBus struct {
	notifier *notify.Notifier
	close    func() error
}

func startNotify(config notify.Config, gate *bench.Gate) (bench.Bus, error) {
	notifier, stop, err := bench.Open(config, func(n *notify.Notifier) { bench.Observe(n, gate) })
	if err != nil {
		return nil, err
	}
	return &notifyBus{notifier, stop}, nil
}

func (b *notifyBus) Publish(seq uint64) error {
	_, err := notify.Emit(context.Background(), b.notifier, bench.NewEvent(seq))
	return err
}

func (b *notifyBus) Close() error { return b.close() }

// Counted implements [bench.Counter].
func (b *notifyBus) Counted() []int64 {
	var counted []int64
	for _, o := range b.notifier.Stats(context.Background()).Observers {
		counted = append(counted, o.Successes)
	}
	return counted
}
