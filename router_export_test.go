package notify

import "time"

// RaceBuild tells whether the race detector is on.
const RaceBuild = raceBuild

// StatsOf returns the statistics of calls that took so long.
func StatsOf(all []time.Duration) CallStats {
	var c counters
	for _, took := range all {
		c.handled(1, took, false)
	}
	return c.snapshot()
}
