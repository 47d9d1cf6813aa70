package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/sides"
)

// budget is a promise, and what was seen of it.
type budget struct {
	what, promised, seen string
	met                  bool
}

// flat leaves some room for noise.
const flat = 1.2

// budgets holds the results against the promises.
func (r *results) budgets() []budget {
	var all []budget
	add := func(met bool, what, promised, seen string) {
		all = append(all, budget{what, promised, seen, met})
	}
	cpuFloor := map[int]float64{1: 25, 10: 150, 100: 200}
	for _, n := range r.observers {
		s := r.against(sides.CQRSName, n, cpu)
		add(s.median >= cpuFloor[n], fmt.Sprintf("CPU per event against Watermill CQRS, n=%d", n),
			fmt.Sprintf("at most 1/%g", cpuFloor[n]), "1/"+short(s.median))
	}
	for _, n := range r.observers {
		s := spreadOf(r.events.figures(job{sides.NotifyName, n, bench.Outstanding}, allocs))
		// A tenth is for what is allocated once for many events.
		add(s.median < 4.1, fmt.Sprintf("allocations per event, n=%d", n), "at most 4", short(s.median))
	}
	for _, n := range r.observers {
		s := r.against(sides.CQRSName, n, wall)
		add(s.median >= 10, fmt.Sprintf("wall per event against Watermill CQRS, n=%d", n), "at most 1/10", "1/"+short(s.median))
	}
	ten, hundred := r.against(sides.KelindarName, 10, cpu).median, r.against(sides.KelindarName, 100, cpu).median
	add(1/ten <= 2.5, "CPU per event against kelindar/event, n=10", "at most 2.5x", short(1/ten)+"x")
	add(1/hundred < 1, "CPU per event against kelindar/event, n=100", "ahead: below 1x", short(1/hundred)+"x")

	// What else the machine does only takes away: the best runs are what both
	// are able to.
	kept := slices.Max(ofRuns(r.dead, perSecond)) / slices.Max(ofRuns(r.alive, perSecond))
	add(kept >= 0.95, "throughput of 31 observers beside a dead one", "at least 95%", fmt.Sprintf("%.0f%%", 100*kept))
	growth := 0.0
	for _, run := range r.dead {
		growth = max(growth, float64(run.Late)/float64(run.Early))
	}
	add(growth <= flat, "live heap beside it, last quarter against second", fmt.Sprintf("flat: at most %gx", flat), short(growth)+"x")

	carried := ratio(each(r.carried, cpu), each(r.send, cpu)).median
	add(carried >= 5, "CPU from Send to settled, against its events on Watermill CQRS", "at most 1/5", "1/"+short(carried))
	add(r.left.Goroutines <= 0 && r.left.Descriptors <= 0, fmt.Sprintf("%d starts and stops", r.cycles), "0 goroutines, 0 descriptors left",
		fmt.Sprintf("%d, %d", max(r.left.Goroutines, 0), max(r.left.Descriptors, 0)))
	return all
}

// printBudgets writes them, and returns how many were missed.
func printBudgets(w io.Writer, all []budget) (missed int) {
	for _, b := range all {
		verdict := "met   "
		if !b.met {
			verdict = "MISSED"
			missed++
		}
		_, _ = fmt.Fprintf(w, "%s  %-62s %-34s %s\n", verdict, b.what, b.promised, b.seen)
	}
	return missed
}
