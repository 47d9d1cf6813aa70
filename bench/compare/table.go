package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-6c01d079/notify/bench"
	"github.com/seed-6c01d079/notify/bench/sides"
)

// print writes what was seen, the budgets apart.
func (r *results) print(w io.Writer) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	r.figures(columns, "CPU per event, µs", r.observers, bench.Outstanding, cpu)
	r.figures(columns, "Wall per event, µs", r.observers, bench.Outstanding, wall)
	r.figures(columns, "Allocations per event", r.observers, bench.Outstanding, allocs)
	r.figures(columns, "Round trip, µs", r.roundTripObservers, 1, wall)
	r.times(columns, "CPU, times notify's", cpu)
	r.times(columns, "Wall, times notify's", wall)
	r.others(columns)
	_ = columns.Flush()
	_, _ = fmt.Fprintf(w, "\nEvery observer handled every event in all %d measurements, and notify's Stats counted the same:\nevents times observers, %d and what warmed up.\n",
		r.measurements, r.deliveries)
}

// figures is a table of medians.
func (r *results) figures(w io.Writer, title string, ns []int, outstanding int, f figure) {
	heading(w, title, ns)
	for _, side := range sides.All() {
		cells := []string{side.Name}
		for _, n := range ns {
			cells = append(cells, short(spreadOf(r.events.figures(job{side.Name, n, outstanding}, f)).median))
		}
		row(w, cells...)
	}
}

// times is a table of ratios.
func (r *results) times(w io.Writer, title string, f figure) {
	heading(w, title, r.observers)
	for _, side := range sides.All() {
		if side.Name == sides.NotifyName {
			continue
		}
		cells := []string{side.Name}
		for _, n := range r.observers {
			cells = append(cells, r.against(side.Name, n, f).String())
		}
		row(w, cells...)
	}
}

// others is what only notify does.
func (r *results) others(w io.Writer) {
	row(w)
	row(w, "notify alone")
	row(w, "a notification, Send to settled, CPU µs", short(spreadOf(each(r.send, cpu)).median))
	row(w, "... allocations", short(spreadOf(each(r.send, allocs)).median))
	row(w, fmt.Sprintf("... the %d events that it raises, emitted alone, CPU µs", bench.RaisedEvents), short(spreadOf(each(r.bare, cpu)).median))
	row(w, "... times that", ratio(each(r.send, cpu), each(r.bare, cpu)).String())
	row(w, "... as many events on Watermill CQRS, CPU µs", short(spreadOf(each(r.carried, cpu)).median))
	row(w, "... one at a time, until 3 observers have seen it settle, µs", short(spreadOf(each(r.sendRoundTrip, wall)).median))
	row(w, "... memory while it waits for its provider, bytes", short(r.held.InFlight))
	row(w, "... memory of its record afterwards, bytes", short(r.held.Settled))
	r.countedRows(w)
	row(w, "31 observers, events a second", short(spreadOf(ofRuns(r.alive, perSecond)).median))
	row(w, "... beside a dead one", short(spreadOf(ofRuns(r.dead, perSecond)).median))
	row(w, "... CPU per event, without and with a dead one, µs",
		short(spreadOf(ofRuns(r.alive, cpu)).median)+", "+short(spreadOf(ofRuns(r.dead, cpu)).median))
	last := r.dead[len(r.dead)-1]
	row(w, "... live heap, second and last quarter, MB", fmt.Sprintf("%s, %s", short(float64(last.Early)/1e6), short(float64(last.Late)/1e6)))
}

// against is how many times notify's figure that of a side is.
func (r *results) against(side string, n int, f figure) spread {
	return ratio(
		r.events.figures(job{side, n, bench.Outstanding}, f),
		r.events.figures(job{sides.NotifyName, n, bench.Outstanding}, f),
	)
}

func ofRuns(runs []bench.DeadRun, f figure) []float64 {
	var all []float64
	for _, run := range runs {
		all = append(all, f(run.Each()))
	}
	return all
}

func perSecond(e bench.Each) float64 { return 1e6 / e.Wall }

func heading(w io.Writer, title string, ns []int) {
	row(w)
	cells := []string{title}
	for _, n := range ns {
		cells = append(cells, "n="+strconv.Itoa(n))
	}
	row(w, cells...)
}

func row(w io.Writer, cells ...string) {
	_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// String is the median, and the least and the most in brackets.
func (s spread) String() string {
	return fmt.Sprintf("%s (%s-%s)", short(s.median), short(s.least), short(s.most))
}

// short is a number with the digits that mean something.
func short(x float64) string {
	switch {
	case x >= 100 || x == 0:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}
