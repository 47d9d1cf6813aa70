package costtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/cost"
)

func small(_ *testing.T, sums int) cost.Store {
	return cost.NewMemory(func(c *cost.MemoryConfig) { c.Cells = sums })
}

// reviving is a store that begins a sum anew when it was dropped.
type reviving struct {
	cost.Store
	anew cost.Store
}

func (r *reviving) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	tooOld, err := r.Store.Put(ctx, entries...)
	for _, e := range entries {
		page, failed := r.Store.Sums(ctx, cost.Query{Period: e.Month, AllTenants: true})
		if err == nil && failed == nil && len(page.Sums) == 0 {
			_, err = r.anew.Put(ctx, e)
		}
	}
	return tooOld, err
}

func (r *reviving) Sums(ctx context.Context, q cost.Query) (cost.Page, error) {
	page, err := r.Store.Sums(ctx, q)
	if err == nil && len(page.Sums) == 0 {
		return r.anew.Sums(ctx, q)
	}
	return page, err
}

// The check is red for a store whose sums come back in part, and for one that drops
// none.
func TestCapIsSeen(t *testing.T) {
	t.Parallel()
	wrong, err := compareCap(t, small(t, cappedSums), nil)
	require.NoError(t, err)
	require.Empty(t, wrong)
	wrong, err = compareCap(t, &reviving{small(t, cappedSums), cost.NewMemory()}, nil)
	require.NoError(t, err)
	require.Contains(t, wrong, "the sums are")
	wrong, err = compareCap(t, cost.NewMemory(), nil)
	require.NoError(t, err)
	require.Contains(t, wrong, "the sums are")
}
