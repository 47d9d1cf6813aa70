package sqlite_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/backends/sqlite"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/handlers/timeline/timelinetest"
	"github.com/seed-6c01d079/notify/notifytest"
)

// codec is a Notifier that does not run.
func codec(t testing.TB) *notify.Notifier {
	t.Helper()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Close(context.Background())) })
	return n
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	timelinetest.TestStore(t, func(t *testing.T) timeline.Store {
		ages := func(c *sqlite.Config) { c.TimelineFor = 100 * 365 * 24 * time.Hour }
		return open(t, path(t), ages).Timeline(codec(t))
	})
}

func TestTheTimelineOfARunningNotifier(t *testing.T) {
	t.Parallel()
	file := path(t)
	back := sqlite.Open(file)
	n, err := notify.New(notify.Config{Backend: back})
	require.NoError(t, err)
	notify.Use(n, notifytest.NewProvider[notify.Email]("mail"))
	store := back.Timeline(n)
	n.Attach(timeline.New(store))
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	require.NoError(t, n.Ready(t.Context()))
	id, err := n.Send(t.Context(), toAnna(""))
	require.NoError(t, err)
	status := settles(t, n, id)
	var entry timeline.Entry
	eventually(t, func() bool {
		entry, err = store.Get(t.Context(), id)
		return err == nil && entry.Status.Settled
	}, "the timeline knows that it settled")
	require.Equal(t, status, entry.Status)
	require.NoError(t, n.Close(t.Context()))
	require.NoError(t, <-ended)

	again, err := open(t, file).Timeline(codec(t)).Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, entry, again)
}

// some are events of a notification that happened then.
func some(id string, at time.Time, opened int) (events []notify.Event[any]) {
	add := func(name string, data any) {
		events = append(events, notify.Event[any]{Envelope: notify.Envelope{
			ID: fmt.Sprint(id, "/", len(events)), Type: "notify." + name + ".v1", Source: "notify", NotificationID: id, Time: at, Seen: at,
		}, Data: data})
	}
	add("accepted", notify.Accepted{Route: notify.First(notify.EmailChannel)})
	for range opened {
		add("opened", notify.Opened{})
	}
	add("settled", notify.Settled{State: notify.StateSent})
	return events
}

func TestATimelineLeavesOutWhatChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, path(t), func(c *sqlite.Config) { c.MaxTimelineEvents = 5 }).Timeline(codec(t))
	events := some("n_1", time.Now(), 20)
	for _, e := range events {
		require.NoError(t, s.Add(t.Context(), e))
	}
	entry, err := s.Get(t.Context(), "n_1")
	require.NoError(t, err)
	require.True(t, entry.Truncated)
	require.Len(t, entry.Events, 6)
	require.True(t, entry.Status.Settled)
}

func TestATimelineForgets(t *testing.T) {
	t.Parallel()
	b := open(t, path(t), func(c *sqlite.Config) { c.TimelineFor, c.MaxTimeline = time.Hour, 10 })
	s := b.Timeline(codec(t))
	now := time.Now()
	add := func(id string, at time.Time) {
		for _, e := range some(id, at, 0) {
			require.NoError(t, s.Add(t.Context(), e))
		}
	}
	for i := range 5 {
		add(fmt.Sprint("old_", i), now.Add(-2*time.Hour))
	}
	for i := range 13 {
		add(fmt.Sprintf("new_%02d", i), now.Add(time.Duration(i)*time.Second))
	}
	require.NoError(t, sqlite.Sweep(b, now))
	page, err := s.List(t.Context(), timeline.Query{})
	require.NoError(t, err)
	require.Len(t, page.Entries, 10)
	require.Equal(t, "new_12", page.Entries[0].Status.NotificationID)
	require.Equal(t, "new_03", page.Entries[9].Status.NotificationID)
}
