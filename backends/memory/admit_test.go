package memory_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestAdmit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		require.NoError(t, b.Admit(ctx, "t", 100, false), "an empty topic admits any n")
		publish(t, b, "t", "k", 0, 8)
		require.NoError(t, b.Admit(ctx, "t", 2, false))
		require.ErrorIs(t, b.Admit(ctx, "t", 3, false), backend.ErrOverloaded)

		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := b.Admit(short, "t", 3, true)
		require.ErrorIs(t, err, backend.ErrOverloaded)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		require.NoError(t, b.Fix(ctx, "t", "g", backend.FromOldest()))
		admitted := make(chan int, 3)
		for i, n := range []int{5, 1, 6} {
			go func() {
				require.NoError(t, b.Admit(ctx, "t", n, true))
				admitted <- i
			}()
			synctest.Wait()
		}
		require.Empty(t, admitted, "who comes later does not overtake, even if there is room")
		begun := time.Now()
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(_ context.Context, batch *backend.Batch) (int, error) {
				batch.Next()
				time.Sleep(time.Second)
				return 1, nil
			},
		})
		require.Equal(t, 0, <-admitted)
		require.Equal(t, 3*time.Second, time.Since(begun), "8 less 3, and 5 have room")
		require.Equal(t, 1, <-admitted)
		require.Equal(t, 4*time.Second, time.Since(begun), "those admitted before count at the same look only")
		require.Equal(t, 2, <-admitted)
		leave()
	}, func(c *memory.Config) { c.MaxWork = 10 })
}

func TestForgettingMakesRoom(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		require.NoError(t, b.Fix(t.Context(), "t", "dead", backend.FromNow()))
		require.NoError(t, b.Fix(t.Context(), "t", "idle", backend.FromNow()))
		publish(t, b, "t", "k", 0, 10)
		require.Len(t, read(t, b, "t", "idle"), 10)
		admitted := make(chan error, 1)
		go func() { admitted <- b.Admit(t.Context(), "t", 1, true) }()
		synctest.Wait()
		require.Empty(t, admitted)
		require.NoError(t, b.Forget(t.Context(), "t", "dead"))
		require.NoError(t, <-admitted)
	}, func(c *memory.Config) { c.MaxWork = 10 })
}
