package notify_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
)

// A class that a provider made up is none: it may be text, and goes into events
// and labels.
func TestClassesAreClosed(t *testing.T) {
	t.Parallel()
	for class, want := range map[notify.FailureClass]notify.FailureClass{
		"": notify.ClassOther, "550 ann@example.com unknown": notify.ClassOther,
		notify.ClassOther: notify.ClassOther, notify.ClassAddress: notify.ClassAddress, notify.ClassThrottle: notify.ClassThrottle,
	} {
		err := fmt.Errorf("send: %w", &notify.SendError{Verdict: notify.VerdictPermanent, Class: class})
		require.Equal(t, want, notify.AsSendError(err).Class, class)
	}
}
