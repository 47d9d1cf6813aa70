package memory_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// In real time, for the race detector: several publishers, groups and members
// that come and go, and handlers that are slow or fail now and then.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	const publishers, groups, members, perPublisher, keys = 4, 4, 3, 3000, 7
	b := memory.New(func(c *memory.Config) { c.MaxParkedPerKey = 50 })
	seen := make([]*order, groups)
	var delivered atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	var consuming, publishing sync.WaitGroup
	for g := range groups {
		seen[g] = newOrder()
		c := backend.Consumption{
			Topic: "t", Group: strconv.Itoa(g), Concurrency: 1 + g,
			Backoff: func(int, error) time.Duration { return time.Duration(rand.IntN(2000)) * time.Microsecond },
			Handle: each(func(e *event, attempt int) error {
				leave := seen[g].enter(e)
				delivered.Add(1)
				switch rand.IntN(400) {
				case 0:
					time.Sleep(time.Duration(rand.IntN(15)) * time.Millisecond)
				case 1, 2:
					leave(false)
					return errFailed
				}
				leave(true)
				return nil
			}),
		}
		require.NoError(t, b.Fix(ctx, c.Topic, c.Group, backend.FromNow()))
		for m := range members {
			consuming.Go(func() {
				for ctx.Err() == nil {
					stay, leave := context.WithCancel(ctx)
					if m > 0 { // the first one stays
						stay, leave = context.WithTimeout(ctx, time.Duration(rand.IntN(30))*time.Millisecond)
					}
					if err := b.Consume(stay, c); err != nil {
						t.Error(err)
					}
					leave()
				}
			})
		}
	}
	for p := range publishers {
		publishing.Go(func() {
			for i := range perPublisher {
				key := strconv.Itoa(p) + "/" + strconv.Itoa(i%keys)
				var err error
				if m := local(key, i/keys); i%2 == 0 {
					err = publishLocal(b, "t", m)
				} else {
					_, err = b.Commit(ctx, backend.Record{ID: key + "/" + strconv.Itoa(i)}, []backend.Publication{{Topic: "t", Message: m}})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	for g := range groups {
		require.NoError(t, b.CatchUp(ctx, "t", strconv.Itoa(g)))
	}
	cancel()
	consuming.Wait()
	require.NoError(t, b.Close())
	for g := range groups {
		total := 0
		for _, n := range seen[g].next {
			total += n
		}
		require.Equal(t, publishers*perPublisher, total)
		require.Empty(t, seen[g].wrong)
	}
	require.Greater(t, delivered.Load(), int64(groups*publishers*perPublisher), "some were delivered twice, or nothing was tested")
}

// Opening and closing in the middle of everything.
func TestCloseInMidFlight(t *testing.T) {
	t.Parallel()
	for range 30 {
		b := memory.New()
		var users sync.WaitGroup
		for g := range 3 {
			users.Go(func() {
				err := b.Consume(context.Background(), backend.Consumption{
					Topic: "t", Group: strconv.Itoa(g), Concurrency: 3,
					Backoff: func(int, error) time.Duration { return time.Microsecond },
					Handle: each(func(*event, int) error {
						if rand.IntN(10) == 0 {
							return errFailed
						}
						return nil
					}),
				})
				if err != nil && !errors.Is(err, backend.ErrClosed) {
					t.Error(err)
				}
			})
			users.Go(func() {
				for i := 0; ; i++ {
					err := publishLocal(b, "t", local("k", i))
					if i%3 == 0 && err == nil {
						err = b.PublishAt(context.Background(), time.Now().Add(time.Millisecond), "t", local("k", i))
					}
					if errors.Is(err, backend.ErrClosed) {
						return
					}
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
		require.NoError(t, b.Close())
		users.Wait()
	}
}
