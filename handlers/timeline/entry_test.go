package timeline_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

// facts are what a history is drawn from; no pipeline need raise it.
var facts = []any{
	notify.Accepted{},
	notify.Routed{Legs: []notify.Leg{email}},
	notify.Delayed{},
	notify.Rendered{Leg: email},
	notify.Sending{Attempt: smtp, Call: 1},
	notify.Sending{Attempt: smtp, Call: 2},
	notify.Retrying{Attempt: smtp, Call: 1},
	notify.Sent{Attempt: smtp, MessageID: "m_1"},
	notify.Unknown{Attempt: smtp},
	notify.Delivered{Attempt: smtp},
	notify.Bounced{Attempt: smtp, Class: notify.ClassAddress},
	notify.Failed{Attempt: smtp, Reason: notify.EndRejected},
	notify.Undeliverable{},
	notify.Canceled{},
	notify.Settled{},
	notify.Corrected{},
	notify.Opened{},
	notify.Raw("{}"),
}

func drawEvents(t *rapid.T) []notify.Event[any] {
	var events []notify.Event[any]
	for i, fact := range rapid.SliceOfN(rapid.SampledFrom(facts), 1, 12).Draw(t, "facts") {
		e := event("n_1", fmt.Sprint(i), 0, fact)
		e.Time = time.Time{}
		if second := rapid.IntRange(0, 5).Draw(t, "second"); second > 0 {
			e.Time = noon.Add(time.Duration(second) * time.Second)
		}
		events = append(events, e)
	}
	return events
}

func drawOrder(t *rapid.T, events []notify.Event[any]) []notify.Event[any] {
	again := rapid.SliceOfN(rapid.SampledFrom(events), 0, 6).Draw(t, "again")
	return rapid.Permutation(slices.Concat(events, again)).Draw(t, "order")
}

func TestNoOrderChangesTheStatus(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := drawEvents(t)
		// Few enough may be kept that the cap is reached.
		most := rapid.IntRange(1, 20).Draw(t, "most")
		capped := func(c *timeline.MemoryConfig) { c.Events = most }
		var fold notify.Fold
		one, two := timeline.NewMemory(capped), timeline.NewMemory(capped)
		for _, e := range events {
			fold.Add(e)
			require.NoError(t, one.Add(t.Context(), e))
		}
		for _, e := range drawOrder(t, events) {
			require.NoError(t, two.Add(t.Context(), e))
		}
		want := fold.Status()
		want.NotificationID = "n_1" // also of events that say nothing about delivery
		first, err := one.Get(t.Context(), "n_1")
		require.NoError(t, err)
		second, err := two.Get(t.Context(), "n_1")
		require.NoError(t, err)
		require.Equal(t, want, first.Status)
		require.Equal(t, want, second.Status)
		require.Equal(t, first.At, second.At)
		require.Equal(t, len(events) > most, first.Truncated)
		require.Equal(t, first.Truncated, second.Truncated)
		require.Len(t, first.Events, min(most, len(events)))
		require.Len(t, second.Events, min(most, len(events)))
	})
}

func TestNewEntry(t *testing.T) {
	t.Parallel()
	require.Equal(t, timeline.Entry{}, timeline.NewEntry())
	machinery := event("", "provider_up", 0, notify.ProviderUp{})
	require.Equal(t, timeline.Entry{}, timeline.NewEntry(machinery))

	sent := event("n_1", "sent", 0, notify.Sent{Attempt: smtp})
	got := timeline.NewEntry(machinery, settled("n_1", time.Minute), sent, settled("n_2", 0), sent)
	require.Equal(t, []notify.Event[any]{settled("n_1", time.Minute), sent}, got.Events)
	require.Equal(t, noon, got.At, "the first that happened, since Accepted is missing")
	require.Equal(t, timeline.Position{At: noon, ID: "n_1"}, got.Position())
	require.Equal(t, notify.StateSent, got.Status.State)

	late := accepted("n_1", time.Second+1500*time.Nanosecond)
	got = timeline.NewEntry(sent, late)
	require.Equal(t, noon.Add(time.Second+time.Microsecond), got.At)

	opened := timeline.NewEntry(clicked("n_1", 1))
	require.Equal(t, "n_1", opened.Status.NotificationID)
	require.Empty(t, opened.Status.State)
}
