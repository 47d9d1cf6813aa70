package bench_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/bench"
)

func TestGateBoundsWhatIsOutstanding(t *testing.T) {
	t.Parallel()
	for _, outstanding := range []int{1, 2, 8} {
		synctest.Test(t, func(t *testing.T) {
			gate := bench.NewGate(2, outstanding)
			var published []uint64
			ended := make(chan error, 1)
			go func() {
				_, err := gate.Feed(t.Context(), func(seq uint64) error {
					published = append(published, seq)
					return nil
				}, bench.Times(3*outstanding))
				ended <- err
			}()
			slow, fast := 0, 0
			for slow < 3*outstanding {
				synctest.Wait()
				for ; fast < len(published); fast++ {
					gate.Handled(0, 1)
				}
				synctest.Wait()
				require.Equal(t, fast, len(published), "a fast observer does not let the publisher run ahead of a slow one")
				require.LessOrEqual(t, len(published), slow+outstanding)
				gate.Handled(1, 1)
				slow++
			}
			require.NoError(t, <-ended)
			require.Len(t, published, 3*outstanding)
			require.NoError(t, gate.Check())
		})
	}
}

func TestGateFeedsAgain(t *testing.T) {
	t.Parallel()
	gate := bench.NewGate(1, 4)
	for range 3 {
		fed, err := gate.Feed(t.Context(), func(seq uint64) error {
			gate.Handled(0, seq)
			return nil
		}, bench.Times(5))
		require.NoError(t, err)
		require.Equal(t, 6, fed, "rounded up to half of what may be outstanding")
	}
	require.Equal(t, 18, gate.Published())
	require.NoError(t, gate.Check())
}

func TestGateNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(g *bench.Gate, seq uint64){
		"an event twice": func(g *bench.Gate, seq uint64) {
			g.Handled(0, seq)
			if seq == 3 {
				g.Handled(0, seq)
			}
		},
		"an event without its number": func(g *bench.Gate, _ uint64) { g.Handled(0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gate := bench.NewGate(1, 8)
			_, err := gate.Feed(t.Context(), func(seq uint64) error {
				handle(gate, seq)
				return nil
			}, bench.Times(4))
			require.NoError(t, err)
			require.Error(t, gate.Check())
		})
	}
	t.Run("an event too few", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			gate := bench.NewGate(1, 8)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := gate.Feed(ctx, func(seq uint64) error {
				if seq != 3 {
					gate.Handled(0, seq)
				}
				return nil
			}, bench.Times(4))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorContains(t, err, "observer 0 handled 3 events of 4")
		})
	})
	t.Run("an event that cannot be published", func(t *testing.T) {
		t.Parallel()
		full := errors.New("full")
		_, err := bench.NewGate(1, 8).Feed(t.Context(), func(uint64) error { return full }, bench.Times(4))
		require.ErrorIs(t, err, full)
	})
}

// miscounting is a side whose own statistics are wrong.
type miscounting struct{ gate *bench.Gate }

func (m miscounting) Publish(seq uint64) error { m.gate.Handled(0, seq); return nil }
func (m miscounting) Close() error             { return nil }
func (m miscounting) Counted() []int64         { return []int64{int64(m.gate.Published()) - 1} }

func TestFanOutChecksWhatASideCounts(t *testing.T) {
	t.Parallel()
	_, err := bench.FanOut(bench.Side{Name: "miscounting", Start: func(_ int, gate *bench.Gate) (bench.Bus, error) {
		return miscounting{gate}, nil
	}}, 1, 2, bench.Times(10))
	require.ErrorContains(t, err, "its own statistics")
}
