package memory_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

func TestCommitChangesBothOrNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		ctx := t.Context()
		now := func(n int) []backend.Publication { return []backend.Publication{{Topic: "t", Message: local("k", n)}} }
		later := func(n int) []backend.Publication {
			return []backend.Publication{
				{Topic: "t", Message: local("k", n)},
				{Topic: "t", Message: local("k", n+1), At: time.Now().Add(time.Hour)},
				{Topic: "t", Message: local("k", n+2), At: time.Now().Add(time.Hour)},
			}
		}
		revision, err := b.Commit(ctx, backend.Record{ID: "a", Aliases: []string{"alias a"}}, now(0))
		require.NoError(t, err)
		require.EqualValues(t, 1, revision)

		for name, c := range map[string]struct {
			record backend.Record
			out    []backend.Publication
			err    error
		}{
			"conflict":       {backend.Record{ID: "a", Aliases: []string{"x"}}, now(100), backend.ErrConflict},
			"gone":           {backend.Record{ID: "b", Revision: 1, Aliases: []string{"x"}}, now(100), backend.ErrConflict},
			"delayed full":   {backend.Record{ID: "a", Revision: 1, Aliases: []string{"x"}}, later(100), backend.ErrOverloaded},
			"a new one":      {backend.Record{ID: "c", Aliases: []string{"x"}}, later(100), backend.ErrOverloaded},
			"no topic":       {backend.Record{ID: "c", Aliases: []string{"x"}}, append(now(100), backend.Publication{Message: local("k", 0)}), nil},
			"no message":     {backend.Record{ID: "c", Aliases: []string{"x"}}, append(now(100), backend.Publication{Topic: "t"}), nil},
			"invalid record": {backend.Record{Aliases: []string{"x"}}, now(100), nil},
		} {
			_, err := b.Commit(ctx, c.record, c.out)
			require.Error(t, err, name)
			if c.err != nil {
				require.ErrorIs(t, err, c.err, name)
			}
			_, err = b.LoadAlias(ctx, "x")
			require.ErrorIs(t, err, backend.ErrNotFound, name)
			_, err = b.Load(ctx, "c")
			require.ErrorIs(t, err, backend.ErrNotFound, name)
			rec, err := b.Load(ctx, "a")
			require.NoError(t, err)
			require.EqualValues(t, 1, rec.Revision, name)
		}
		_, err = b.Commit(ctx, backend.Record{ID: "a", Revision: 1, Aliases: []string{"x"}}, []backend.Publication{
			{Topic: "t", Message: local("k", 1)},
			{Topic: "t", Message: local("k", 3), At: time.Now().Add(time.Hour)},
			{Topic: "t", Message: local("k", 2)},
		})
		require.NoError(t, err)
		rec, err := b.LoadAlias(ctx, "x")
		require.NoError(t, err)
		require.Equal(t, "a", rec.ID)
		time.Sleep(2 * time.Hour)
		require.Equal(t, []int{0, 1, 2, 3}, read(t, b, "t", "g"))
	}, func(c *memory.Config) { c.MaxDelayed = 1 })
}

// Whoever sees a message finds the record, by its ID and by its alias.
func TestWhoSeesTheMessageFindsTheRecord(t *testing.T) {
	t.Parallel()
	b := memory.New()
	defer b.Close()
	const n = 5000
	var missing atomic.Int64
	leave := consume(t, b, backend.Consumption{
		Topic: "t", Group: "g",
		Handle: each(func(e *event, _ int) error {
			rec, err := b.Load(context.Background(), e.key)
			if err != nil || rec.Revision < int64(e.n) {
				missing.Add(1)
			}
			if rec, err = b.LoadAlias(context.Background(), e.key+"/"+strconv.Itoa(e.n)); err != nil || rec.ID != e.key {
				missing.Add(1)
			}
			return nil
		}),
	})
	defer leave()
	for i := range n {
		id := strconv.Itoa(i / 5)
		revision := int64(i % 5)
		_, err := b.Commit(t.Context(), backend.Record{ID: id, Revision: revision, Aliases: []string{id + "/" + strconv.Itoa(i%5+1)}},
			[]backend.Publication{{Topic: "t", Message: local(id, i%5+1)}})
		require.NoError(t, err)
	}
	require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
	require.Zero(t, missing.Load())
}

func TestCommitFromSeveralSidesStoresOneAndPublishesOne(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		var won atomic.Int64
		for i := range 50 {
			go func() {
				_, err := b.Commit(t.Context(), backend.Record{ID: "id"}, []backend.Publication{{Topic: "t", Message: local("k", i)}})
				if err == nil {
					won.Add(1)
				}
			}()
		}
		synctest.Wait()
		require.EqualValues(t, 1, won.Load())
		require.Len(t, read(t, b, "t", "g"), 1)
	})
}

func TestCommitTakesMessagesOfWatermill(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, b *memory.Backend) {
		m := message.NewMessage("1", []byte("payload"))
		m.Metadata.Set(backend.KeyMetadata, "k")
		_, err := b.Commit(t.Context(), backend.Record{ID: "id"}, []backend.Publication{{Topic: "t", Message: m}})
		require.NoError(t, err)
		m.Metadata.Set(backend.KeyMetadata, "changed")
		var key string
		leave := consume(t, b, backend.Consumption{
			Topic: "t", Group: "g",
			Handle: func(_ context.Context, batch *backend.Batch) (int, error) {
				batch.Next()
				key = backend.Key(batch.Message())
				return 1, nil
			},
		})
		require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
		leave()
		require.Equal(t, "k", key)
	})
}
