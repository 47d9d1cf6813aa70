package e2e_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// The tests wait more than they work. The flag -parallel still counts.
	_ = flag.Set("test.parallel", "8")
	goleak.VerifyTestMain(m)
}
