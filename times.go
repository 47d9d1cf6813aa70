package notify

import (
	"context"
	"math/rand/v2"
	"time"
)

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier is the earlier of two times, of which a zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// sleep waits, and returns false if ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff returns pauses from first, doubling up to most, each with up to half
// of it taken off at random so that retries do not come all at once.
func backoff(first, most time.Duration) func(n int) time.Duration {
	return func(n int) time.Duration {
		pause := most
		if n < 32 && first<<(n-1) < most && first<<(n-1) > 0 {
			pause = first << (n - 1)
		}
		return pause - rand.N(pause/2+1)
	}
}

// stepBackoff is the pause after a step that could not be done: its store, the
// directory or a guard failed.
func stepBackoff(attempt int) time.Duration {
	return backoff(100*time.Millisecond, 30*time.Second)(attempt)
}
