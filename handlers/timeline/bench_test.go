package timeline_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// BenchmarkMemoryAdd adds the six events of a mail, to a store at its cap.
func BenchmarkMemoryAdd(b *testing.B) {
	m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.Notifications = 10_000 })
	history := []notify.Event[any]{
		accepted("", 0),
		event("", "routed", 0, notify.Routed{Legs: []notify.Leg{email}}),
		event("", "rendered", 0, notify.Rendered{Leg: email}),
		event("", "sending", 0, notify.Sending{Attempt: smtp, Call: 1}),
		event("", "sent", 0, notify.Sent{Attempt: smtp, MessageID: "m_1"}),
		settled("", 0),
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		id := fmt.Sprint("n_", i)
		for _, e := range history {
			e.NotificationID, e.Time = id, e.Time.Add(time.Duration(i)*time.Millisecond)
			require.NoError(b, m.Add(b.Context(), e))
		}
	}
}
