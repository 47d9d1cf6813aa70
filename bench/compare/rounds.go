package main

import (
	"slices"

	"github.com/seed-6c01d079/notify/bench"
)

// job is a side's, with that many observers and outstanding events.
type job struct {
	side        string
	n           int
	outstanding int
}

// rounds has, for each job, what an event took in each round.
type rounds map[job][]bench.Each

// figure is one number of a cost.
type figure func(bench.Each) float64

func cpu(e bench.Each) float64    { return e.CPU }
func wall(e bench.Each) float64   { return e.Wall }
func allocs(e bench.Each) float64 { return e.Allocs }

func (r rounds) figures(j job, f figure) []float64 {
	return each(r[j], f)
}

func each(costs []bench.Each, f figure) []float64 {
	var all []float64
	for _, e := range costs {
		all = append(all, f(e))
	}
	return all
}

// spread is the median of some rounds, with the least and the most.
type spread struct{ median, least, most float64 }

func spreadOf(all []float64) spread {
	if len(all) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(all))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{median, sorted[0], sorted[len(sorted)-1]}
}

// ratio is how many times b the a of the same round is.
func ratio(a, b []float64) spread {
	var all []float64
	for i := range min(len(a), len(b)) {
		all = append(all, a[i]/b[i])
	}
	return spreadOf(all)
}
