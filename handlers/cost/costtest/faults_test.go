package costtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/handlers/cost"
)

// forgetful is a store that takes every entry for a new one.
type forgetful struct {
	cost.Store
	n atomic.Int64
}

func (f *forgetful) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	for i := range entries {
		entries[i].ID = fmt.Sprint(entries[i].ID, "#", f.n.Add(1))
	}
	return f.Store.Put(ctx, entries...)
}

// last is a store whose latest write stands, whatever it says.
type last struct{ cost.Store }

func (l *last) Put(ctx context.Context, entries ...cost.Entry) (int, error) {
	for i := range entries {
		if e := &entries[i]; e.Source != cost.Unpriced {
			e.Source, e.PricedAt, e.PricedBy = cost.ByBook, time.Time{}, ""
		}
	}
	return l.Store.Put(ctx, entries...)
}

// The comparison is red for a store that counts what comes again, and for one
// that loses what is known.
func TestFaultsAreSeen(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]cost.Store{
		"without deduplication": &forgetful{Store: cost.NewMemory()},
		"without ranks":         &last{cost.NewMemory()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong, err := compareFaults(t, 1, broken, nil)
			require.NoError(t, err)
			require.NotEmpty(t, wrong)
		})
	}
}
