package notifytest

import (
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// verifyNothingLeft fails tb if goroutines or descriptors of now are fewer than
// those after its other cleanups. A test that has failed is not asked again.
func verifyNothingLeft(tb testing.TB) {
	tb.Helper()
	// The runtime opens descriptors of its own for the first connection.
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
	goroutines, descriptors := goleak.IgnoreCurrent(), openDescriptors()
	tb.Cleanup(func() {
		if tb.Failed() {
			return
		}
		if err := goleak.Find(goroutines); err != nil {
			tb.Errorf("goroutines are left: %v", err)
			return
		}
		left := openDescriptors()
		for end := time.Now().Add(2 * time.Second); left > descriptors && time.Now().Before(end); left = openDescriptors() {
			<-time.After(10 * time.Millisecond)
		}
		if left > descriptors {
			tb.Errorf("descriptors are left: %d are open, %d were", left, descriptors)
		}
	})
}

// openDescriptors counts the process's open descriptors, or returns 0 on a
// system that does not show them.
func openDescriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
