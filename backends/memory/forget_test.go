package memory_test

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// A group is forgotten while its worker is in the middle of a batch, before or
// after the worker is found slow, and the member leaves before or after that.
func TestForgettingAGroupInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]bool{"brisk": false, "slow": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, b *memory.Backend) {
				hold, release := make(chan struct{}), make(chan struct{})
				handled := 0
				leave := consume(t, b, backend.Consumption{
					Topic: "t", Group: "g",
					Handle: func(_ context.Context, batch *backend.Batch) (done int, err error) {
						for batch.Next() {
							if eventOf(batch.Message()).n == 3 {
								close(hold)
								<-release
							}
							handled++
							done++
						}
						return done, nil
					},
				})
				for n := range 10 {
					require.NoError(t, publishLocal(b, "t", local(strconv.Itoa(n), n)))
				}
				<-hold
				synctest.Wait()
				if late {
					time.Sleep(time.Second)
				}
				require.NoError(t, b.Forget(t.Context(), "t", "g"))
				time.AfterFunc(time.Minute, func() { close(release) })
				leave()
				require.Equal(t, 4, handled)
				require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
				require.NoError(t, b.CatchUp(t.Context(), "t", "g"))
			})
		})
	}
}
