package event_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/internal/event"
)

func TestHappened(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct{ at, seen, want time.Time }{
		{now, now.Add(time.Hour), now},
		{now, now, now},
		{now.AddDate(1, 0, 0), now, now},
		{now, time.Time{}, now}, // nobody knows
	} {
		require.Equal(t, tc.want, event.Happened(notify.Envelope{Time: tc.at, Seen: tc.seen}))
	}
}
