package memory_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-6c01d079/notify/backend"
	"github.com/seed-6c01d079/notify/backends/memory"
)

// What befalls a message in the property test.
type fate struct {
	Fails int // deliveries that fail
	Slow  time.Duration
}

func TestEveryMessageIsFinishedInTheOrderOfItsKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.IntRange(1, 12).Draw(rt, "keys")
		fates := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) fate {
			if rapid.IntRange(0, 9).Draw(rt, "plain") > 1 {
				return fate{}
			}
			return fate{
				Fails: rapid.IntRange(0, 3).Draw(rt, "fails"),
				Slow:  time.Duration(rapid.SampledFrom([]int{0, 0, 1, 6, 60}).Draw(rt, "slow")) * time.Millisecond,
			}
		}), 1, 600).Draw(rt, "fates")
		keyOf := rapid.SliceOfN(rapid.IntRange(0, keys-1), len(fates), len(fates)).Draw(rt, "key of each")
		members := rapid.IntRange(1, 3).Draw(rt, "members")
		concurrency := rapid.IntRange(1, 5).Draw(rt, "concurrency")
		maxBatch := rapid.SampledFrom([]int{0, 1, 3, 50}).Draw(rt, "batch")
		leaves := rapid.Bool().Draw(rt, "members leave")
		retention := rapid.SampledFrom([]int{1000, 2400, 1 << 14}).Draw(rt, "retention")
		perKey := rapid.SampledFrom([]int{1, 5, 1000}).Draw(rt, "queue per key")
		parked := rapid.SampledFrom([]int{4, 40, 1000}).Draw(rt, "queues")
		pause := time.Duration(rapid.SampledFrom([]int{0, 1, 500}).Draw(rt, "back-off")) * time.Millisecond

		byMessage := map[string]map[int]fate{}
		counts := map[string]int{}
		for i, f := range fates {
			key := strconv.Itoa(keyOf[i])
			if byMessage[key] == nil {
				byMessage[key] = map[int]fate{}
			}
			byMessage[key][counts[key]] = f
			counts[key]++
		}

		bubble(t, func(t *testing.T, b *memory.Backend) {
			seen := newOrder()
			failed := errors.New("failed")
			c := backend.Consumption{
				Topic: "t", Group: "g", Concurrency: concurrency, MaxBatch: maxBatch,
				Backoff: func(int, error) time.Duration { return pause },
				Handle: each(func(e *event, attempt int) error {
					leave := seen.enter(e)
					f := byMessage[e.key][e.n]
					time.Sleep(f.Slow)
					if attempt <= f.Fails {
						leave(false)
						return failed
					}
					leave(true)
					return nil
				}),
			}
			require.NoError(t, b.Fix(t.Context(), "t", "g", backend.FromNow()))
			var leave []func()
			for range members {
				leave = append(leave, consume(t, b, c))
			}
			published := map[string]int{}
			for i := range fates {
				key := strconv.Itoa(keyOf[i])
				publish(t, b, "t", key, published[key], published[key]+1)
				published[key]++
				if leaves && i%97 == 50 {
					time.Sleep(time.Millisecond)
					leave[0]()
					leave = append(leave[1:], consume(t, b, c))
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			require.NoError(t, b.CatchUp(ctx, "t", "g"))
			synctest.Wait()
			lag, err := b.Lag(ctx, "t", "g")
			require.NoError(t, err)
			require.Zero(t, lag)
			require.Empty(t, seen.wrong)
			require.Equal(t, counts, seen.next)
			for _, l := range leave {
				l()
			}
		}, func(c *memory.Config) {
			c.Retention, c.MaxParkedPerKey, c.MaxParked = retention, perKey, parked
		})
	})
}
