package main

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/sides"
)

// sarama's metrics have a goroutine that never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// within are results that meet every budget.
func within() *results {
	r := &results{plan: standard(), events: rounds{}}
	cost := map[string]float64{sides.NotifyName: 1, sides.CQRSName: 1000, sides.KelindarName: 1.5}
	for _, side := range sides.All() {
		for _, n := range r.observers {
			each := bench.Each{CPU: cost[side.Name], Wall: cost[side.Name], Allocs: 2}
			r.events[job{side.Name, n, bench.Outstanding}] = []bench.Each{each, each, each}
		}
		for _, n := range r.roundTripObservers {
			r.events[job{side.Name, n, 1}] = []bench.Each{{Wall: 1}}
		}
	}
	r.send, r.bare, r.carried = []bench.Each{{CPU: 20}}, []bench.Each{{CPU: 10}}, []bench.Each{{CPU: 150}}
	r.sendRoundTrip = []bench.Each{{Wall: 50}}
	r.alive = []bench.DeadRun{{Cost: bench.Cost{Events: 1000, Wall: time.Second}, Early: 100, Late: 100}}
	r.dead = slices.Clone(r.alive)
	return r
}

func (r *results) set(side string, n int, change func(e *bench.Each)) {
	for i := range r.events[job{side, n, bench.Outstanding}] {
		change(&r.events[job{side, n, bench.Outstanding}][i])
	}
}

func missed(r *results) []string {
	var names []string
	for _, b := range r.budgets() {
		if !b.met {
			names = append(names, b.what)
		}
	}
	return names
}

func TestEveryBudgetCanBeMissed(t *testing.T) {
	t.Parallel()
	require.Empty(t, missed(within()))
	for what, change := range map[string]func(r *results){
		"CPU per event against Watermill CQRS, n=1": func(r *results) {
			r.set(sides.CQRSName, 1, func(e *bench.Each) { e.CPU = 24 })
		},
		"CPU per event against Watermill CQRS, n=10": func(r *results) {
			r.set(sides.CQRSName, 10, func(e *bench.Each) { e.CPU = 149 })
		},
		"CPU per event against Watermill CQRS, n=100": func(r *results) {
			r.set(sides.CQRSName, 100, func(e *bench.Each) { e.CPU = 199 })
		},
		"allocations per event, n=100": func(r *results) {
			r.set(sides.NotifyName, 100, func(e *bench.Each) { e.Allocs = 5 })
		},
		"wall per event against Watermill CQRS, n=1": func(r *results) {
			r.set(sides.CQRSName, 1, func(e *bench.Each) { e.Wall = 9 })
		},
		"CPU per event against kelindar/event, n=10": func(r *results) {
			r.set(sides.KelindarName, 10, func(e *bench.Each) { e.CPU = 0.39 })
		},
		"CPU per event against kelindar/event, n=100": func(r *results) {
			r.set(sides.KelindarName, 100, func(e *bench.Each) { e.CPU = 1 })
		},
		"throughput of 31 observers beside a dead one": func(r *results) {
			r.dead[0].Wall = 1100 * time.Millisecond
		},
		"live heap beside it, last quarter against second": func(r *results) { r.dead[0].Late = 200 },
		"CPU from Send to settled, against its events on Watermill CQRS": func(r *results) {
			r.send[0].CPU = 31
		},
		"1000 starts and stops": func(r *results) { r.left.Descriptors = 1 },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := within()
			change(r)
			require.Equal(t, []string{what}, missed(r))
		})
	}
}

func TestBudgetsAreCounted(t *testing.T) {
	t.Parallel()
	r := within()
	r.left.Goroutines, r.send[0].CPU = 3, 31
	var out bytes.Buffer
	require.Equal(t, 2, printBudgets(&out, r.budgets()))
	require.Equal(t, 2, bytes.Count(out.Bytes(), []byte("MISSED")))
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	t.Parallel()
	require.Equal(t, spread{median: 2, least: 1, most: 4}, ratio([]float64{10, 4, 40}, []float64{10, 2, 10}))
	require.Equal(t, spread{median: 1.5, least: 1, most: 2}, ratio([]float64{1, 2}, []float64{1, 1}))
	require.Zero(t, ratio(nil, nil))
}

func TestASmallPlan(t *testing.T) {
	var progress, out bytes.Buffer
	p := plan{
		observers: []int{1, 2}, roundTripObservers: []int{1},
		rounds: 1, length: time.Millisecond, roundTrip: time.Millisecond,
		deadRounds: 1, deadEvents: 1, held: 64, cycles: 3,
	}
	r, err := p.carryOut(&progress)
	require.NoError(t, err)
	r.print(&out)
	for _, side := range sides.All() {
		require.Contains(t, out.String(), side.Name)
	}
	require.Contains(t, out.String(), "Every observer handled every event")
	require.NotContains(t, out.String(), "NaN")
	require.NotContains(t, out.String(), "Inf")
}

func TestUnknownFlag(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.Error(t, run(&out, &out, []string{"-slow"}))
	require.NoError(t, run(&out, &out, []string{"-help"}))
}
