package timeline_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
	"github.com/seed-6c01d079/notify/notifytest"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	notifytest.TestTimelineStore(t, func(*testing.T) timeline.Store { return timeline.NewMemory() })
}

func TestDropsTheOldestSettledFirst(t *testing.T) {
	t.Parallel()
	m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.Notifications = 3 })
	add := func(events ...notify.Event[any]) {
		for _, e := range events {
			require.NoError(t, m.Add(t.Context(), e))
		}
	}
	require3 := func(want ...string) {
		t.Helper()
		require.Equal(t, want, listed(t, m))
	}
	add(accepted("a", 1*time.Second), accepted("b", 2*time.Second), accepted("c", 3*time.Second))
	add(settled("b", time.Hour), settled("c", time.Hour))
	require3("c", "b", "a")
	add(accepted("d", 4*time.Second))
	require3("d", "c", "a") // b had settled, and before c
	add(accepted("e", 5*time.Second))
	require3("e", "d", "a")
	add(accepted("f", 6*time.Second))
	require3("f", "e", "d") // none had settled

	// What is left of those that were dropped goes first.
	add(clicked("a", 1))
	require3("f", "e", "d")
	_, err := m.Get(t.Context(), "a")
	require.ErrorIs(t, err, notify.ErrNotFound)
}

func listed(t interface {
	require.TestingT
	Context() context.Context
}, m *timeline.Memory,
) []string {
	page, err := m.List(t.Context(), timeline.Query{AllTenants: true, Limit: 500})
	require.NoError(t, err)
	var ids []string
	for _, e := range page.Entries {
		ids = append(ids, e.Status.NotificationID)
	}
	return ids
}

// The list of a Memory against one that is made anew each time.
func TestMemoryKeepsItsListInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 12).Draw(t, "most")
		m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.Notifications = most })
		kept := map[string][]notify.Event[any]{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := fmt.Sprint("n_", rapid.IntRange(1, 20).Draw(t, "id"))
			after := time.Duration(rapid.IntRange(0, 4).Draw(t, "after")) * time.Second
			e := rapid.SampledFrom([]notify.Event[any]{accepted(id, after), settled(id, after), clicked(id, 1)}).Draw(t, "event")
			require.NoError(t, m.Add(t.Context(), e))
			kept[id] = append(kept[id], e)
			drop(kept, most)
			entries := slices.SortedFunc(maps.Values(made(kept)), func(a, b timeline.Entry) int {
				return b.Position().Compare(a.Position())
			})
			page, err := m.List(t.Context(), timeline.Query{AllTenants: true})
			require.NoError(t, err)
			require.Equal(t, entries, page.Entries)
		}
	})
}

func made(kept map[string][]notify.Event[any]) map[string]timeline.Entry {
	entries := map[string]timeline.Entry{}
	for id, events := range kept {
		entries[id] = timeline.NewEntry(events...)
	}
	return entries
}

// drop takes out the oldest of those that are over, or else of all.
func drop(kept map[string][]notify.Event[any], most int) {
	if len(kept) <= most {
		return
	}
	goesFirst := func(a, b timeline.Entry) int {
		over := func(e timeline.Entry) bool { return e.Status.Settled || e.Status.AcceptedAt.IsZero() }
		if over(a) != over(b) {
			if over(a) {
				return -1
			}
			return 1
		}
		return a.Position().Compare(b.Position())
	}
	first := slices.MinFunc(slices.Collect(maps.Values(made(kept))), goesFirst)
	delete(kept, first.Status.NotificationID)
}

func TestLeavesOutEngagementFirst(t *testing.T) {
	t.Parallel()
	m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.Events = 4 })
	hosts := event("n_1", "paid", 0, struct{}{})
	hosts.Type = "shop.order_paid.v1"
	names := func() []string {
		e, err := m.Get(t.Context(), "n_1")
		require.NoError(t, err)
		var list []string
		for _, e := range e.Events {
			list = append(list, strings.TrimPrefix(e.ID, "n_1/"))
		}
		return list
	}
	for _, step := range []struct {
		add       notify.Event[any]
		want      []string
		truncated bool
	}{
		{accepted("n_1", 0), []string{"accepted"}, false},
		{hosts, []string{"accepted", "paid"}, false},
		{clicked("n_1", 1), []string{"accepted", "paid", "clicked1"}, false},
		{clicked("n_1", 2), []string{"accepted", "paid", "clicked1", "clicked2"}, false},
		{clicked("n_1", 2), []string{"accepted", "paid", "clicked1", "clicked2"}, false},
		{clicked("n_1", 3), []string{"accepted", "paid", "clicked1", "clicked2"}, true},
		{event("n_1", "sent", 0, notify.Sent{Attempt: smtp}), []string{"accepted", "paid", "clicked1", "sent"}, true},
		{clicked("n_1", 2), []string{"accepted", "paid", "clicked1", "sent"}, true},
		{settled("n_1", 0), []string{"accepted", "paid", "sent", "settled"}, true},
		{event("n_1", "delivered", 0, notify.Delivered{Attempt: smtp}), []string{"accepted", "sent", "settled", "delivered"}, true},
		{event("n_1", "bounced", 0, notify.Bounced{Attempt: smtp}), []string{"accepted", "sent", "settled", "delivered"}, true},
	} {
		require.NoError(t, m.Add(t.Context(), step.add))
		require.Equal(t, step.want, names(), step.add.ID)
		e, err := m.Get(t.Context(), "n_1")
		require.NoError(t, err)
		require.Equal(t, step.truncated, e.Truncated, step.add.ID)
	}
	e, err := m.Get(t.Context(), "n_1")
	require.NoError(t, err)
	require.Equal(t, notify.StateBounced, e.Status.State, "what is left out counts")
}

// Beyond the cap, and with time, the oldest content goes first, leg by leg, however
// often it was kept anew.
func TestMemoryDropsTheOldestContents(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	put := func(m *timeline.Memory, id string, leg, age int) {
		require.NoError(t, m.PutContent(t.Context(), timeline.Sealed{
			NotificationID: id, Leg: leg, At: now.Add(-time.Duration(age) * time.Minute), AcceptedAt: now, Ciphertext: make([]byte, 100),
		}))
	}
	has := func(m *timeline.Memory) (found []string) {
		for _, id := range []string{"n_1", "n_2", "n_3"} {
			all, err := m.Contents(t.Context(), id)
			require.NoError(t, err)
			for _, s := range all {
				found = append(found, fmt.Sprint(id, "/", s.Leg))
			}
		}
		return found
	}
	fill := func(option func(*timeline.MemoryConfig)) *timeline.Memory {
		m := timeline.NewMemory(option)
		put(m, "n_1", 0, 50)
		put(m, "n_1", 1, 45)
		put(m, "n_2", 0, 40)
		put(m, "n_1", 0, 10) // anew
		return m
	}
	m := fill(func(c *timeline.MemoryConfig) { c.ContentBytes = 350 })
	require.Equal(t, []string{"n_1/0", "n_1/1", "n_2/0"}, has(m))
	put(m, "n_3", 0, 5)
	require.Equal(t, []string{"n_1/0", "n_2/0", "n_3/0"}, has(m))
	put(m, "n_3", 1, 4)
	require.Equal(t, []string{"n_1/0", "n_3/0", "n_3/1"}, has(m))
	put(m, "n_2", 0, 60) // older than all
	require.Equal(t, []string{"n_1/0", "n_3/0", "n_3/1"}, has(m))

	m = fill(func(c *timeline.MemoryConfig) { c.For = 30 * time.Minute })
	require.Equal(t, []string{"n_1/0"}, has(m))
	require.NoError(t, m.DropContents(t.Context(), "n_1"))
	require.Empty(t, has(m))
	put(m, "n_1", 2, 1)
	require.Equal(t, []string{"n_1/2"}, has(m))
}
