package kafka_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(restartVariable); addr != "" && len(os.Args) == 2 && os.Args[1] == "restart" {
		os.Exit(askForRestart(addr))
	}
	// Watermill's own test leaves one behind.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/ThreeDotsLabs/watermill/pubsub/tests.TestReconnect.func2"))
}
