package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// Held is the memory that a notification takes, in bytes.
type Held struct {
	// InFlight is while it waits for its provider, Settled afterwards, when
	// its record is kept for Status and for its idempotency key.
	InFlight, Settled float64
}

// HoldInFlight sends that many notifications, a power of two from 2, by a
// provider that does not answer, and measures what they hold; then the
// provider answers.
func HoldInFlight(notifications int) (Held, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// A gate waits for all to be routed, and then for all to be settled.
	routed, settled := NewGate(1, 2*notifications), NewGate(1, 2*notifications)
	provider := &stuck{released: make(chan struct{})}
	n, stop, err := Open(notify.Config{}, func(n *notify.Notifier) {
		notify.Use(n, provider)
		notify.On(n, "routed", func(context.Context, notify.Event[notify.Routed]) error {
			routed.Handled(0, 1)
			return nil
		})
		notify.On(n, "settled", func(context.Context, notify.Event[notify.Settled]) error {
			settled.Handled(0, 1)
			return nil
		})
	})
	if err != nil {
		return Held{}, err
	}
	before := heapInUse()
	_, err = routed.Feed(ctx, func(seq uint64) error { return send(ctx, n, seq) }, Times(1))
	var held Held
	held.InFlight = (heapInUse() - before) / float64(notifications)
	release := sync.OnceFunc(func() { close(provider.released) })
	if err == nil {
		_, err = settled.Feed(ctx, func(uint64) error { release(); return nil }, Times(1))
	}
	release()
	held.Settled = (heapInUse() - before) / float64(notifications)
	if err = errors.Join(err, stop()); err != nil {
		return held, fmt.Errorf("hold notifications in flight: %w", err)
	}
	return held, nil
}

// heapInUse is the size of what is reachable.
func heapInUse() float64 {
	runtime.GC()
	runtime.GC() // what the first one found in pools is gone now
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
