package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/metrics"
	"time"

	"github.com/seed-6c01d079/notify"
)

// DeadRun is what a run of [DeadObserver] showed.
type DeadRun struct {
	// Cost is that of the healthy observers' events.
	Cost
	// Early and Late are the live heap in bytes that the garbage collector
	// found, at most, in the second quarter of the run and in the last.
	Early, Late uint64
}

// DeadObserver publishes at least that many events, for at least a second, to
// 31 observers that work, and, if dead is true, to a 32nd whose handler never
// returns. It checks that the 31 handled every event.
func DeadObserver(dead bool, events int) (DeadRun, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	gate := NewGate(31, Outstanding)
	revive := make(chan struct{})
	n, stop, err := Open(notify.Config{}, func(n *notify.Notifier) {
		Observe(n, gate)
		if dead {
			notify.On(n, "dead", func(context.Context, notify.Event[Event]) error {
				<-revive
				return nil
			})
		}
	})
	if err != nil {
		return DeadRun{}, err
	}
	publish := func(seq uint64) error {
		_, err := notify.Emit(ctx, n, NewEvent(seq))
		return err
	}
	var run DeadRun
	var heap curve
	if _, err = gate.Feed(ctx, publish, For(warmUp)); err == nil {
		run.Cost, err = Measure(func() (int, error) {
			atLeast := For(time.Second)
			return gate.Feed(ctx, publish, func(fed int) bool {
				heap = append(heap, liveHeap())
				return atLeast(fed) || fed < events
			})
		})
	}
	run.Early, run.Late = heap.peak(1), heap.peak(3)
	close(revive)
	err = errors.Join(err, stop())
	if err == nil {
		err = gate.Check()
	}
	if err != nil {
		return run, fmt.Errorf("31 observers beside a dead one: %w", err)
	}
	return run, nil
}

// liveHeap is what the last garbage collection left, in bytes.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// curve is a figure in the course of a run.
type curve []uint64

// peak is the most in a quarter of the run: 0, 1, 2 or 3.
func (c curve) peak(quarter int) uint64 {
	var most uint64
	for _, x := range c[len(c)*quarter/4 : len(c)*(quarter+1)/4] {
		most = max(most, x)
	}
	return most
}
