package timeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/timeline"
)

func TestFollowsANotifier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := timeline.NewMemory()
		var calls atomic.Int64
		n, stop := start(t, func(int) (notify.Receipt, error) {
			if calls.Add(1) == 1 {
				return notify.Receipt{}, &notify.SendError{
					Verdict: notify.VerdictTemporary, Class: notify.ClassService, Code: "451",
					Err: errors.New("ada@example.com is busy"),
				}
			}
			return take(0)
		}, timeline.New(store))
		defer stop()
		notify.On(n, "echo", func(ctx context.Context, e notify.Event[notify.Sent]) error {
			_, err := notify.Emit(ctx, n, notify.ProviderUp{Provider: "smtp"}, func(e *notify.Envelope) { e.NotificationID = "" })
			return err
		})

		id, err := n.Send(t.Context(), shipped())
		require.NoError(t, err)
		want := wait(t, n, id)
		synctest.Wait()

		got, err := store.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, got.Status)
		require.Len(t, got.Status.Legs[0].Attempts, 2)
		var events []notify.Event[any]
		for e, err := range n.Watch(t.Context(), id) {
			require.NoError(t, err)
			events = append(events, e)
		}
		require.Equal(t, events, got.Events)
		require.Equal(t, timeline.NewEntry(events...), got)
		require.NotContains(t, fmt.Sprintf("%+v", got), "ada@")
		require.NotContains(t, fmt.Sprintf("%+v", got), "on its way")

		// Events about the machinery are not in it.
		page, err := store.List(t.Context(), timeline.Query{Tenant: "shop", RecipientID: "u_42"})
		require.NoError(t, err)
		require.Equal(t, []timeline.Entry{got}, page.Entries)
		all, err := store.List(t.Context(), timeline.Query{AllTenants: true})
		require.NoError(t, err)
		require.Equal(t, page, all)
	})
}

func TestBeginsWithTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, stop := start(t, take)
		defer stop()
		id, err := n.Send(t.Context(), shipped())
		require.NoError(t, err)
		_, err = n.Wait(t.Context(), id)
		require.NoError(t, err)

		store := timeline.NewMemory()
		n.Attach(timeline.New(store))
		synctest.Wait()
		got, err := store.Get(t.Context(), id)
		require.NoError(t, err)
		require.True(t, got.Status.Settled)
	})
}

// failing is a store that fails on its first calls.
type failing struct {
	*timeline.Memory
	failures atomic.Int64
}

func (f *failing) Add(ctx context.Context, e notify.Event[any]) error {
	if f.failures.Add(-1) >= 0 {
		return errors.New("the disk is full")
	}
	return f.Memory.Add(ctx, e)
}

func TestAStoreThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &failing{Memory: timeline.NewMemory()}
		store.failures.Store(5)
		other := timeline.NewMemory()
		n, stop := start(t, take,
			timeline.New(store),
			timeline.New(other, func(c *timeline.Config) { c.Name = "other" }),
		)
		defer stop()
		id, err := n.Send(t.Context(), shipped())
		require.NoError(t, err)
		want := wait(t, n, id)
		synctest.Wait()
		_, err = store.Get(t.Context(), id)
		require.ErrorIs(t, err, notify.ErrNotFound)
		got, err := other.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, want, got.Status, "another observer does not wait")

		time.Sleep(time.Minute)
		synctest.Wait()
		late, err := store.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, got, late)
	})
}

func TestOptionsChangeTheObserver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, stop := start(t, take, timeline.New(timeline.NewMemory(), func(c *timeline.Config) { c.Name = "history" }))
		defer stop()
		require.Equal(t, "history", n.Stats(t.Context()).Observers[0].Name)
	})
}

func TestWithoutAStore(t *testing.T) {
	t.Parallel()
	n, err := notify.New(notify.Config{})
	require.NoError(t, err)
	n.Attach(timeline.New(nil))
	found := notify.FieldErrors(n.Run(t.Context()))
	require.Len(t, found, 1)
	require.Equal(t, "timeline.New", found[0].Field)
	require.NoError(t, n.Close(t.Context()))
}
