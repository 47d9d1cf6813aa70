package bench

import "time"

// Length says whether a job goes on, after that many events. It is asked now
// and then, so that a job may be somewhat longer. It is used once.
type Length func(events int) bool

// For is the length of a job that goes on for d, or until the first time it is
// asked after that.
func For(d time.Duration) Length {
	var began time.Time
	return func(int) bool {
		if began.IsZero() {
			began = time.Now()
			return true
		}
		return time.Since(began) < d
	}
}

// Times is the length of a job of at least n events.
func Times(n int) Length {
	return func(events int) bool { return events < n }
}
