package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Outstanding is how many events may be under way in the job.
const Outstanding = 1024

const (
	// patience bounds a measurement, in which an event may have got lost.
	patience = 5 * time.Minute
	// warmUp lets queues, pools and stacks grow before it.
	warmUp = 50 * time.Millisecond
)

// FanOut has a side do the job with n observers, and checks that every observer
// handled every event. At most the given number of events are outstanding;
// with one, Wall is that of a round trip.
func FanOut(side Side, n, outstanding int, length Length) (Cost, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	gate := NewGate(n, outstanding)
	bus, err := side.Start(n, gate)
	if err != nil {
		return Cost{}, fmt.Errorf("start %s: %w", side.Name, err)
	}
	cost, err := fanOut(ctx, gate, bus.Publish, length)
	err = errors.Join(err, bus.Close())
	if err == nil {
		err = gate.Check()
	}
	if counter, ok := bus.(Counter); ok && err == nil {
		err = checkCounts(counter.Counted(), n, gate.Published())
	}
	if err != nil {
		return cost, fmt.Errorf("%s, %d observers: %w", side.Name, n, err)
	}
	return cost, nil
}

// fanOut warms up, then measures.
func fanOut(ctx context.Context, gate *Gate, publish func(seq uint64) error, length Length) (Cost, error) {
	if _, err := gate.Feed(ctx, publish, For(warmUp)); err != nil {
		return Cost{}, err
	}
	return Measure(func() (int, error) { return gate.Feed(ctx, publish, length) })
}

func checkCounts(counted []int64, observers, events int) error {
	if len(counted) != observers || slices.ContainsFunc(counted, func(n int64) bool { return n != int64(events) }) {
		return fmt.Errorf("its own statistics say that the observers handled %d, not %d each", counted, events)
	}
	return nil
}
