package notifytest

import (
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// verifyNothingLeft fails tb if there are more goroutines or descriptors than now
// after its other cleanups, and for so long. A test that has failed is not asked
// again.
func verifyNothingLeft(tb testing.TB, patience time.Duration) {
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
		end := time.Now().Add(patience)
		for err := goleak.Find(goroutines); err != nil; err = goleak.Find(goroutines) {
			if time.Now().After(end) {
				tb.Errorf("goroutines are left: %v", err)
				return
			}
		}
		for left := openDescriptors(); left > descriptors; left = openDescriptors() {
			if time.Now().After(end) {
				tb.Errorf("descriptors are left: %d are open, %d were", left, descriptors)
				return
			}
			<-time.After(10 * time.Millisecond)
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
