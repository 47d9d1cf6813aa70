//go:build !race

package notify

// digest finds out whether an event was changed, in builds with the race
// detector only.
func digest(*fact) uint64 { return 0 }

const raceBuild = false
