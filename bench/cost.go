package bench

import (
	"fmt"
	"runtime"
	"time"
)

// Cost is what a number of events took, all observers together.
type Cost struct {
	Events int
	// CPU is the time on processors, of the whole process; Wall that on the
	// clock.
	CPU, Wall time.Duration
	// Allocs and Bytes were allocated on the heap.
	Allocs, Bytes uint64
}

// Each is what one event took.
type Each struct {
	// CPU and Wall are microseconds.
	CPU, Wall     float64
	Allocs, Bytes float64
}

// Each returns the cost of one event, the mean.
func (c Cost) Each() Each {
	n := float64(max(c.Events, 1))
	return Each{
		CPU: float64(c.CPU.Nanoseconds()) / 1000 / n, Wall: float64(c.Wall.Nanoseconds()) / 1000 / n,
		Allocs: float64(c.Allocs) / n, Bytes: float64(c.Bytes) / n,
	}
}

// Measure runs the job, which returns how many events it handled, and returns
// what it took. Everything that the process does meanwhile counts, so nothing
// else may run. Garbage from before is collected first.
func Measure(job func() (events int, err error)) (Cost, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	spent, err := cpuTime()
	if err != nil {
		return Cost{}, fmt.Errorf("read the CPU time: %w", err)
	}
	var c Cost
	if c.Events, err = job(); err != nil {
		return c, err
	}
	now, err := cpuTime()
	if err != nil {
		return c, fmt.Errorf("read the CPU time: %w", err)
	}
	c.CPU, c.Wall = now-spent, time.Since(began)
	runtime.ReadMemStats(&after)
	c.Allocs, c.Bytes = after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc
	return c, nil
}
