package timeline_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.For = time.Hour })
		add := func(id string) {
			e := accepted(id, 0)
			e.Time = time.Now()
			require.NoError(t, m.Add(t.Context(), e))
			if id != "n_1" {
				e = settled(id, 0)
				e.Time = time.Now()
				require.NoError(t, m.Add(t.Context(), e))
			}
		}
		add("n_1")
		time.Sleep(30 * time.Minute)
		add("n_2")
		require.Equal(t, []string{"n_2", "n_1"}, listed(t, m))
		time.Sleep(30*time.Minute + 1)
		require.Equal(t, []string{"n_2"}, listed(t, m), "it is not shown, before it is dropped")
		_, err := m.Get(t.Context(), "n_1")
		require.ErrorIs(t, err, notify.ErrNotFound)
		add("n_3")
		time.Sleep(30 * time.Minute)
		add("n_4")
		require.Equal(t, []string{"n_4", "n_3"}, listed(t, m))
		_, err = m.Get(t.Context(), "n_2")
		require.ErrorIs(t, err, notify.ErrNotFound)
	})
}

// What was erased is remembered for as long as notifications are kept, and as
// many.
func TestMemoryForgetsWhatWasErased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.For, c.Notifications = time.Hour, 3 })
		add := func(id string) {
			e := accepted(id, 0)
			e.Time, e.RecipientID = time.Now(), "u_"+id
			require.NoError(t, m.Add(t.Context(), e))
		}
		erase := func(id string) {
			_, err := m.Erase(t.Context(), "shop", "u_"+id)
			require.NoError(t, err)
		}
		before := time.Now()
		for i := range 4 {
			id := fmt.Sprint(i)
			add(id)
			erase(id)
		}
		time.Sleep(time.Second)
		for i := range 4 {
			e := accepted(fmt.Sprint(i), 0)
			e.Time, e.RecipientID = before, fmt.Sprint("u_", i)
			require.NoError(t, m.Add(t.Context(), e))
		}
		require.Equal(t, []string{"0"}, listed(t, m), "the first of four was forgotten")
		time.Sleep(time.Hour + 1)
		add("1")
		require.Equal(t, []string{"1"}, listed(t, m))
	})
}

// A replay of all that the log still has brings nothing back.
func TestAReplayBringsNothingBack(t *testing.T) {
	t.Parallel()
	store := timeline.NewMemory()
	began := time.Now()
	n, stop := start(t, take, timeline.New(store))
	send := func(recipient string) (id string) {
		nt := shipped()
		nt.To.ID = recipient
		id, err := n.Send(t.Context(), nt)
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, n.Handled(t.Context(), id, "timeline"))
		return id
	}
	erased, other := send("u_42"), send("u_43")
	count, err := store.Erase(t.Context(), "shop", "u_42")
	require.NoError(t, err)
	require.Equal(t, 1, count)
	require.NoError(t, n.Replay(t.Context(), "timeline", began.Add(-time.Minute)))
	require.NoError(t, n.Handled(t.Context(), erased, "timeline"))
	again := send("u_42")
	require.Equal(t, []string{again, other}, listed(t, store))
	stop()
	require.Equal(t, []string{again, other}, listed(t, store))
}

// Who was erased again is remembered as who was erased last.
func TestMemoryRemembersTheLastErasures(t *testing.T) {
	t.Parallel()
	m := timeline.NewMemory(func(c *timeline.MemoryConfig) { c.Notifications = 2 })
	before := time.Now()
	for _, recipient := range []string{"u_1", "u_2", "u_1", "u_3"} {
		_, err := m.Erase(t.Context(), "shop", recipient)
		require.NoError(t, err)
	}
	for i := range 3 {
		e := accepted(fmt.Sprint("n_", i+1), 0)
		e.Time, e.RecipientID = before, fmt.Sprint("u_", i+1)
		require.NoError(t, m.Add(t.Context(), e))
	}
	require.Equal(t, []string{"n_2"}, listed(t, m), "two are remembered")
}
