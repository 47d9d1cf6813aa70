package bench

// Side is one way to get events to observers.
type Side struct {
	// Name is that of its row in the table.
	Name string
	// Start makes a bus with n observers. Observer i calls gate.Handled(i, seq)
	// for each event.
	Start func(n int, gate *Gate) (Bus, error)
}

// Bus is a side at work.
type Bus interface {
	// Publish publishes the event with that number. It is called by one
	// goroutine.
	Publish(seq uint64) error
	// Close ends what Start began, after all events have been handled.
	Close() error
}

// Counter is a [Bus] that counts by itself what its observers handled. Its
// counts are read after Close.
type Counter interface {
	// Counted returns the number of events that each observer handled.
	Counted() []int64
}
