package notify

import (
	"context"
	"math/bits"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of what observers and providers did in this process
// since it began.
type Stats struct {
	Observers []ObserverStats
	// Detached are the observers that are registered no more, the latest 100. One
	// that is registered again goes on with its counts.
	Detached  []ObserverStats
	Providers []ProviderStats
}

// CallStats counts the calls of an observer's handlers, or of a provider.
type CallStats struct {
	// Invocations is Successes and Failures together.
	Invocations, Successes, Failures int64
	// InFlight is how many run now.
	InFlight int64
	// Total is the time that all took, Median and P99 what one took; calls
	// that were fast are timed together, and count with their mean.
	Total, Median, P99 time.Duration

	histogram *[256]int64
}

// Within returns how many invocations took at most d. Durations are counted in
// ranges that end a quarter of a power of two apart, so that one which is within
// an eighth of d may be counted on either side.
func (s CallStats) Within(d time.Duration) int64 {
	var total int64
	if s.histogram != nil {
		for i := range s.histogram {
			if middle(i) <= d {
				total += s.histogram[i]
			}
		}
	}
	return total
}

// ObserverStats is what one observer did. An invocation is one event that at
// least one of its handlers is for.
type ObserverStats struct {
	Name string
	// Since is when its counts began: when it was first registered in this process,
	// or registered again after [Stats.Detached] had forgotten it. No two observers
	// have the same.
	Since time.Time
	CallStats
	// Retries counts the events that were put back to come again, DeadLetters
	// those that were given up.
	Retries, DeadLetters int64
	// Lag is how many events it has not handled; -1 if the backend cannot
	// tell.
	Lag int64
	// Paused says that it fails on everything, and tries only now and then.
	Paused bool
	// Events is the same by type of event, ordered by type. Events that were timed
	// together share that time equally. All types that this program does not know
	// count together, under the empty Type. The sum is that of CallStats, but for
	// what is counted while Stats reads.
	Events []EventStats
}

// EventStats is what an observer did with the events of one type.
type EventStats struct {
	// Type is as the [Envelope] has it.
	Type string
	// Invocations is as in [CallStats], and Total the time that they took.
	Invocations int64
	Total       time.Duration
}

// ProviderStats is what one provider did. An invocation is one call.
type ProviderStats struct {
	Name    string
	Channel Channel
	CallStats
	// Down says that its circuit breaker is open.
	Down bool
	// HeldUntil is when the service wants to be called again, by its Retry-After;
	// zero is now.
	HeldUntil time.Time
}

// Stats returns what observers and providers did. It is cheap enough to be
// called every second. It asks the backend for the lags, one after the other
// and until ctx ends; those that are left are -1.
func (n *Notifier) Stats(ctx context.Context) Stats {
	var all Stats
	observers, gone := n.bus.everyone()
	for _, r := range observers {
		s := r.snapshot()
		s.Paused = r.pause.on()
		if n.bus.positions != nil && ctx.Err() == nil {
			if lag, err := n.bus.positions.Lag(ctx, eventsTopic, r.group()); err == nil {
				s.Lag = lag
			}
		}
		all.Observers = append(all.Observers, s)
	}
	for _, t := range gone {
		all.Detached = append(all.Detached, t.snapshot())
	}
	for _, s := range n.senders() {
		all.Providers = append(all.Providers, ProviderStats{
			Name: s.policy.Name, Channel: s.channel, CallStats: s.stats.snapshot(), Down: s.isOpen(),
			HeldUntil: s.pausedUntil(time.Now()),
		})
	}
	return all
}

// tallies are what observers of one name have done in this process.
type tallies struct {
	observer string
	since    time.Time
	stats    counters
	kinds    kindCounters
	outputs  outputs
}

func (t *tallies) snapshot() ObserverStats {
	return ObserverStats{
		Name: t.observer, Since: t.since, CallStats: t.stats.snapshot(), Lag: -1,
		Retries: t.stats.retries.Load(), DeadLetters: t.stats.deadLetters.Load(), Events: t.kinds.snapshot(),
	}
}

// counters are an observer's or a provider's. The histogram's buckets grow by
// a quarter of a power of two.
type counters struct {
	successes, failures, retries, deadLetters, inFlight atomic.Int64
	nanos                                               atomic.Int64
	histogram                                           [256]atomic.Int64
}

// handled adds n invocations that ran one after the other and took that long
// together, the last of which may have failed.
func (c *counters) handled(n int, took time.Duration, lastFailed bool) {
	c.nanos.Add(int64(took))
	c.histogram[bucket(int64(took)/int64(n))].Add(int64(n))
	if lastFailed {
		n--
		c.failures.Add(1)
	}
	if n > 0 {
		c.successes.Add(int64(n))
	}
}

func bucket(nanos int64) int {
	if nanos < 4 {
		return int(max(nanos, 0))
	}
	power := bits.Len64(uint64(nanos)) - 1
	return power<<2 | int(nanos>>(power-2)&3)
}

// middle is the duration in the middle of a bucket.
func middle(bucket int) time.Duration {
	if bucket < 8 {
		return time.Duration(bucket)
	}
	power := bucket >> 2
	quarter := int64(1) << (power - 2)
	return time.Duration(quarter*int64(4+bucket&3) + quarter/2)
}

func (c *counters) snapshot() CallStats {
	s := CallStats{
		Successes: c.successes.Load(), Failures: c.failures.Load(), InFlight: c.inFlight.Load(),
		Total: time.Duration(c.nanos.Load()),
	}
	s.Invocations = s.Successes + s.Failures
	var counts [256]int64
	var total int64
	for i := range counts {
		counts[i] = c.histogram[i].Load()
		total += counts[i]
	}
	if total > 0 {
		s.histogram = &counts
		s.Median, s.P99 = quantile(&counts, total, 0.5), quantile(&counts, total, 0.99)
	}
	return s
}

func quantile(counts *[256]int64, total int64, q float64) time.Duration {
	rest := int64(q * float64(total))
	for i := range counts {
		if rest -= counts[i]; rest < 0 {
			return middle(i)
		}
	}
	return 0
}
