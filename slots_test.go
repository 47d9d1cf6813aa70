package notify

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Many wait for slots and give up at any moment: never are more taken than there
// are, none gets lost, and nobody who stays is forgotten.
func TestSlotsAreNeitherLostNorMade(t *testing.T) {
	t.Parallel()
	const size, callers, rounds = 3, 32, 300
	s := newSlots(size)
	var taken, had atomic.Int64
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for range rounds {
				ctx, cancel := context.WithCancel(context.Background())
				if caller%2 == 0 {
					ctx, cancel = context.WithTimeout(ctx, rand.N(200*time.Microsecond))
				}
				var in slot
				if in.take(s) || in.wait(ctx, s, caller%3 == 0) == nil {
					if n := taken.Add(1); n > size {
						t.Errorf("%d have one of %d slots", n, size)
					}
					had.Add(1)
					taken.Add(-1)
				}
				in.leave()
				in.leave() // is nothing the second time
				cancel()
			}
		})
	}
	all.Wait()
	require.GreaterOrEqual(t, had.Load(), int64(callers/2*rounds))
	require.Equal(t, size, s.free)
	require.Empty(t, s.waiting[0])
	require.Empty(t, s.waiting[1])
}
