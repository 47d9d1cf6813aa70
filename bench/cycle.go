package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Left is what the cycles of [Cycle] left behind.
type Left struct {
	Goroutines int
	// Descriptors is -1 on a system that does not list them in /proc.
	Descriptors int
}

// Cycle starts and stops a Notifier that many times, each of which sends one
// notification.
func Cycle(times int) (Left, error) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	for i := range times {
		if err := cycle(); err != nil {
			return Left{}, fmt.Errorf("start and stop, time %d: %w", i+1, err)
		}
	}
	left := Left{Descriptors: -1}
	// A goroutine that has been waited for may take a moment to be gone.
	for range 1000 {
		if left.Goroutines = max(0, runtime.NumGoroutine()-goroutines); left.Goroutines == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if descriptors >= 0 {
		left.Descriptors = max(0, openDescriptors()-descriptors)
	}
	return left, nil
}

func cycle() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, stop, err := Open(notify.Config{}, func(n *notify.Notifier) {
		notify.Use(n, nothing{})
		notify.On(n, "observer", func(context.Context, notify.Event[any]) error { return nil })
	})
	if err != nil {
		return err
	}
	if err := send(ctx, n, 1); err != nil {
		return err
	}
	return stop()
}

func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}
